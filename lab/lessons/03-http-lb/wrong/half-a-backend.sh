# task: answers
# node: http-lb1
# hint: lone-server
# from: solved
# A page comes back, always from the one server that is there.
sed -i '/^ *server web2 /d' /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
