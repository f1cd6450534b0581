# task: tls
# node: http-lb1
# hint: not-restarted
# from: solved
# HTTPS is in the file, and HAProxy runs with the one of before.
cp -p /etc/lab/haproxy.cfg /etc/lab/haproxy.cfg.new
sed -i '/bind :443/d' /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy
mv /etc/lab/haproxy.cfg.new /etc/lab/haproxy.cfg
