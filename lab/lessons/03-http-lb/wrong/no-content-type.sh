# task: pool
# node: http-lb1
# hint: not-running
# from: solved
# A text with values, and no content type: HAProxy refuses the line.
sed -i '/path \/servers/s/content-type text\/plain //' /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
until supervisorctl -c /etc/lab/supervisord.conf status haproxy | grep -q FATAL; do sleep 0.2; done
