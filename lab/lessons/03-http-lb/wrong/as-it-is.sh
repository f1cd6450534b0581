# task: pool
# node: http-lb1
# hint: content
# from: solved
# A text as it is: nothing is filled in.
sed -i '/path \/servers/s/lf-string/string/' /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
