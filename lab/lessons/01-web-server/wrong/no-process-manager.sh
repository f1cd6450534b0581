# task: php
# node: web1
# hint: not-running
# from: solved
# A pool that does not say how it keeps its processes. Stopped, since a slow machine takes long to give it up.
sed -i '/^pm = /d' /etc/lab/php-fpm.conf
supervisorctl -c /etc/lab/supervisord.conf stop php-fpm > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start php-fpm || true
supervisorctl -c /etc/lab/supervisord.conf stop php-fpm || true
