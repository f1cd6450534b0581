# task: hangs
# node: http-lb1
# hint: never
# from: solved
# A file that httpd serves without PHP.
sed -i 's#uri /healthz #uri /style.css #' /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
