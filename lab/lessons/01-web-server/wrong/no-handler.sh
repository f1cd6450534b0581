# task: php
# node: web1
# hint: content
# from: solved
# Nothing leads from httpd to the socket: the program itself is sent.
sed -i '/SetHandler \"proxy:/d' /etc/lab/httpd.conf
supervisorctl -c /etc/lab/supervisord.conf stop httpd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start httpd || true
