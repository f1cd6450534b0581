<?php
// Answered by PHP-FPM, so that a node whose FPM is gone leaves the pool although httpd still runs.
header('Content-Type: text/plain');
echo "ok\n";
