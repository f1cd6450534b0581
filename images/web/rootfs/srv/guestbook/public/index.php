<?php
declare(strict_types=1);
require __DIR__ . '/../lib/answer.php';
require __DIR__ . '/../lib/refused.php';
require __DIR__ . '/../lib/visitor.php';
require __DIR__ . '/../lib/store.php';
require __DIR__ . '/../lib/notice.php';

$settings = parse_ini_file('/etc/lab/guestbook.ini', false, INI_SCANNER_TYPED);
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
$wantsJson = $path === '/api/posts';

if ($path === '/whoami') {
    answer(200, ['node' => $settings['node'], 'client' => $_SERVER['REMOTE_ADDR'],
        'scheme' => $_SERVER['HTTP_X_FORWARDED_PROTO'] ?? 'http']);
}
if ($path !== '/' && !$wantsJson) {
    answer(404, ['error' => 'there is no such page']);
}

$store = new Store($settings);
if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    try {
        from_here($_SERVER);
        fits($_SERVER, $settings['largest']);
        [$author, $message] = [text($_POST, 'author'), text($_POST, 'message')];
        $id = $store->add($author, $message, upload($_FILES, $settings['largest']));
    } catch (Refused $error) {
        answer($error->getCode(), ['error' => $error->getMessage()]);
    } catch (PDOException | RuntimeException $error) {
        error_log($error->getMessage());
        answer(503, ['error' => 'the guest book can not be written just now; nobody knows whether this was kept']);
    }
    register_shutdown_function(tell(...), $settings, $id, $author, $message);
    if ($wantsJson) {
        answer(201, ['id' => $id, 'node' => $settings['node']]);
    }
    header('Location: /', true, 303);
    exit;
}
try {
    $posts = isset($_GET['author']) && $wantsJson ? $store->by(text($_GET, 'author')) : $store->newest();
} catch (Refused $error) {
    answer($error->getCode(), ['error' => $error->getMessage()]);
} catch (PDOException $error) {
    error_log($error->getMessage());
    answer(503, ['error' => 'the guest book can not be read just now']);
}
if ($wantsJson) {
    answer(200, ['node' => $settings['node'], 'posts' => $posts]);
}
require __DIR__ . '/../lib/page.php';
