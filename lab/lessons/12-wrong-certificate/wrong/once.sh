# task: redirect
# node: http-lb1
# hint: in-clear
# from: solved
# A redirect that is for now (302).
sed -i 's/redirect scheme https code 301/redirect scheme https code 302/' /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
