# task: dies
# node: http-lb1
# hint: never
# from: solved
# All numbers are there, and nothing is checked.
sed -i 's/default-server check /default-server /' /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
