# task: hangs
# node: http-lb1
# hint: above-bound
# from: solved
# A second `timeout check`, nearer to the servers, is the one in force.
sed -i 's/^backend web$/&\n    timeout check 1s/' /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
