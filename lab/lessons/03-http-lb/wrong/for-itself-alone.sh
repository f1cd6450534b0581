# task: pool
# node: http-lb1
# hint: status
# from: solved
# The page is for the balancer itself alone.
sed -i 's/http-request deny unless { src 127.0.0.0\/8 .* }/http-request deny unless { src 127.0.0.0\/8 }/' /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
