# task: redirect
# node: http-lb1
# hint: header
# from: solved
# The browser is told nothing.
sed -i '/Strict-Transport-Security/d' /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
