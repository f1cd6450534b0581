<?php
declare(strict_types=1);
require __DIR__ . '/../lib/answer.php';
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
    $file = ($_FILES['upload']['error'] ?? UPLOAD_ERR_NO_FILE) === UPLOAD_ERR_NO_FILE ? null : $_FILES['upload'];
    try {
        $id = $store->add($_POST['author'] ?? '', $_POST['message'] ?? '', $file);
    } catch (InvalidArgumentException $error) {
        answer(400, ['error' => $error->getMessage()]);
    } catch (PDOException | RuntimeException $error) {
        error_log($error->getMessage());
        answer(503, ['error' => 'the guest book can not be written just now; nobody knows whether this was kept']);
    }
    register_shutdown_function(tell(...), $settings, $id, $_POST['author'] ?? '', $_POST['message'] ?? '');
    if ($wantsJson) {
        answer(201, ['id' => $id, 'node' => $settings['node']]);
    }
    header('Location: /', true, 303);
    exit;
}
try {
    $posts = isset($_GET['author']) && $wantsJson ? $store->by((string) $_GET['author']) : $store->newest();
} catch (PDOException $error) {
    error_log($error->getMessage());
    answer(503, ['error' => 'the guest book can not be read just now']);
}
if ($wantsJson) {
    answer(200, ['node' => $settings['node'], 'posts' => $posts]);
}
require __DIR__ . '/../lib/page.php';
