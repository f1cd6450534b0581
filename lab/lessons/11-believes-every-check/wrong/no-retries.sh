# task: unnoticed
# node: http-lb1
# hint: failed-requests
# from: solved
# What was for the dead server fails.
sed -i 's/^    retries .*/    retries 0/; /option redispatch/d; /retry-on/d' /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
