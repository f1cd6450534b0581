# task: tls
# node: http-lb1
# hint: no-http
# from: solved
# Nothing listens on port 80 any more.
sed -i '/^    bind :80$/d' /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
