<?php
// The secrets are in the environment of the site's PHP: 'lab site env SITE' prints it.
foreach (['DB_NAME', 'DB_USER', 'DB_PASSWORD', 'DB_HOST'] as $name) {
    define($name, getenv($name));
}
define('DB_CHARSET', 'utf8mb4');
define('DB_COLLATE', '');
define('MYSQL_CLIENT_FLAGS', MYSQLI_CLIENT_SSL); // the database accepts connections by TLS only
foreach (['AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE'] as $name) {
    define($name . '_KEY', hash_hmac('sha256', $name, getenv('SITE_KEY')));
    define($name . '_SALT', hash_hmac('sha256', $name . ' salt', getenv('SITE_KEY')));
}
// The site has one host name inside the cluster and another one on your machine.
define('WP_HOME', 'https://' . ($_SERVER['HTTP_HOST'] ?? getenv('SITE_HOST')));
define('WP_SITEURL', WP_HOME);
define('DISALLOW_FILE_MODS', true);    // the code is a release: 'lab site deploy' brings the next
define('WP_HTTP_BLOCK_EXTERNAL', true);
$table_prefix = 'wp_';
if (!defined('ABSPATH')) {
    define('ABSPATH', __DIR__ . '/');
}
require_once ABSPATH . 'wp-settings.php';
