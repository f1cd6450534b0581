# Answers each request with a text.
use IO::Socket::INET;
my $text = `/attempts`;
$SIG{USR1} = sub { print "ends by its own signal\n"; exit };
$| = 1;
my $door = IO::Socket::INET->new(LocalPort => 8000, Listen => 20, ReuseAddr => 1) or die $!;
while (1) {
    my $visitor = $door->accept or next;
    sysread $visitor, my $asked, 4096;
    print $visitor "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " . length($text) . "\r\n\r\n$text";
    close $visitor;
}
