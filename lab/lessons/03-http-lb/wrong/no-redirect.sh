# task: tls
# node: http-lb1
# hint: status
# from: solved
# Plain HTTP is answered as it comes.
sed -i '/http-request redirect/d' /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
