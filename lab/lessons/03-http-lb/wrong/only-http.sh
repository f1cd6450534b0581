# task: tls
# node: http-lb1
# hint: refused
# from: solved
# Nothing listens on port 443.
sed -i '/bind :443/d' /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
