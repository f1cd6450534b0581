# task: errors
# node: http-lb1
# hint: failed
# The balancer is started again, and nothing else is done.
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
