# task: redirect
# node: http-lb1
# hint: header
# from: solved
# Browsers forget it after an hour.
sed -i 's/max-age=[0-9]*/max-age=3600/' /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
