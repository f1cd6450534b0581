# task: php
# node: web1
# hint: no-program
# from: solved
# The path of the folder stands behind the socket too.
sed -i 's#|fcgi://healthz"#|fcgi://healthz/srv/guestbook/public"#' /etc/lab/httpd.conf
supervisorctl -c /etc/lab/supervisord.conf stop httpd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start httpd || true
