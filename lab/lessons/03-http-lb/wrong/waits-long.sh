# task: unnoticed
# node: http-lb1
# hint: slow
# from: solved
# Each request for the dead server waits three seconds before it is tried elsewhere.
sed -i 's/^    timeout connect .*/    timeout connect 3s/' /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
