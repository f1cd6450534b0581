# task: both
# node: http-lb1
# hint: header
# from: solved
# The balancer does not name itself.
sed -i '/X-Balancer/d' /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
