# task: redirect
# node: http-lb1
# hint: status
# from: solved
# The redirect has no condition: who comes by HTTPS is sent to HTTPS.
sed -i 's/\(redirect scheme https code 301\) if .*/\1/' /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
