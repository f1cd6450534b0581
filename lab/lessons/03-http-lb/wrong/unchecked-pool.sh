# task: pool
# node: http-lb1
# hint: unchecked
# from: solved
# The page says 1 for each server, and nothing asks them.
sed -i 's/default-server check /default-server /' /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
