# task: soon
# node: http-lb1
# hint: late
# from: solved
# One failure is enough, and checks are as seldom as before.
sed -i 's/ inter [0-9a-z]* fastinter [0-9a-z]*/ inter 5s fastinter 5s/; s/ fall [0-9]*/ fall 1/' /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
