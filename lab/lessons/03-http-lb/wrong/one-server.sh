# task: both
# node: http-lb1
# hint: one-node
# from: solved
# The second web server was forgotten.
sed -i '/^    server web2 /d; s/ web2=%\[srv_is_up(web\/web2)\]//' /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
