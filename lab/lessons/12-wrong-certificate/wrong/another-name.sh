# task: trusted
# node: http-lb1
# hint: certificate
# Started again, and the same certificate is shown.
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
