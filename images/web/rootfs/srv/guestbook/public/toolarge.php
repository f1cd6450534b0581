<?php
// What httpd answers to a body whose length nobody told, when it is longer than the file that httpd may write.
declare(strict_types=1);
require __DIR__ . '/../lib/answer.php';

$settings = parse_ini_file('/etc/lab/guestbook.ini', false, INI_SCANNER_TYPED);
if (($_SERVER['REDIRECT_REQUEST_METHOD'] ?? 'GET') === 'GET') {
    answer(500, ['error' => 'this page can not be served just now']);
}
if (disk_free_space('/var/tmp') < ($settings['largest'] + 1) * 1048576) {
    answer(503, ['error' => 'this node has no room for an upload just now: try again later']);
}
answer(413, ['error' => "an upload is a PNG, JPEG, GIF or WebP of at most {$settings['largest']} MiB"]);
