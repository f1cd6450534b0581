# task: asks
# node: http-lb1
# hint: not-restarted
# from: solved
# The file is right, and HAProxy runs with the one that asked nothing.
cp -p /etc/lab/haproxy.cfg /etc/lab/haproxy.cfg.right
sed -i '/option httpchk/d; /http-check /d' /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy
mv /etc/lab/haproxy.cfg.right /etc/lab/haproxy.cfg
