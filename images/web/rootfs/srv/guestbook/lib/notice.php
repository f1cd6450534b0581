<?php
declare(strict_types=1);

/** Tells a mailbox of a post, once the visitor has the answer. A post is kept whether or not this can be sent. */
function tell(array $settings, string $id, string $author, string $message): void
{
    if (($settings['notify'] ?? '') === '') {
        return;
    }
    fastcgi_finish_request();
    // What a visitor wrote is in the body alone: no line of it can become a header.
    $headers = ['From' => "guestbook@{$settings['domain']}", 'Message-ID' => "<$id@{$settings['domain']}>",
        'Content-Type' => 'text/plain; charset=utf-8', 'Auto-Submitted' => 'auto-generated'];
    if (!mail($settings['notify'], 'A post in the guest book', "$author wrote:\n\n$message\n", $headers)) {
        error_log("nobody could be told of the post $id");
    }
}
