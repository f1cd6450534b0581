# task: tls
# node: http-lb1
# hint: no-tls
# from: solved
# Port 443 is open, without TLS.
sed -i 's/bind :443 ssl .*/bind :443/' /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
