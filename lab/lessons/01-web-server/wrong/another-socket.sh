# task: php
# node: web1
# hint: status
# from: solved
# The socket of the pool has another name than the one that httpd is led to.
sed -i "s#/run/php-fpm/healthz.sock#/run/php-fpm/health.sock#" /etc/lab/php-fpm.conf
supervisorctl -c /etc/lab/supervisord.conf restart php-fpm
