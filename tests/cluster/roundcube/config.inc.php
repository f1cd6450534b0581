<?php
// The secrets are in the environment of the site's PHP: 'lab site env SITE' prints it.
$domain = preg_replace('/^[^.]+\./', '', getenv('SITE_HOST'));
$trusted = ['ssl' => ['cafile' => getenv('DB_CA'), 'verify_peer' => true, 'verify_peer_name' => true]];
$config['db_dsnw'] = getenv('DATABASE_URL') . '?ca=' . getenv('DB_CA');
$config['des_key'] = substr(hash_hmac('sha256', 'des', getenv('SITE_KEY')), 0, 24);
$config['imap_host'] = "ssl://mail.$domain:993";
$config['imap_conn_options'] = $trusted;
$config['smtp_host'] = "tls://mail.$domain:587";
$config['smtp_conn_options'] = $trusted;
$config['smtp_user'] = '%u';
$config['smtp_pass'] = '%p';
$config['username_domain'] = $domain;
$config['mail_domain'] = $domain;
$config['log_driver'] = 'stdout';
$config['temp_dir'] = INSTALL_PATH . 'temp';
$config['mime_types'] = '/etc/mime.types';
$config['enable_spellcheck'] = false;
$config['plugins'] = [];
$config['session_storage'] = 'php'; // the site's own sessions, which all web nodes have
