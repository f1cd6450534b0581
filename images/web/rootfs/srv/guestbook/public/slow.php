<?php
// For a class, and for the tests of draining: an answer that takes ?ms= milliseconds, at most ten seconds.
declare(strict_types=1);
require __DIR__ . '/../lib/answer.php';

$settings = parse_ini_file('/etc/lab/guestbook.ini', false, INI_SCANNER_TYPED);
usleep(1000 * max(0, min(10000, is_string($_GET['ms'] ?? null) ? (int) $_GET['ms'] : 1000)));
answer(200, ['node' => $settings['node']]);
