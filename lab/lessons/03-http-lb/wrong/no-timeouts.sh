# task: answers
# node: http-lb1
# hint: no-timeouts
# from: solved
# It serves, and HAProxy warns that a silent visitor is never sent away.
sed -i '/timeout client/d' /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
