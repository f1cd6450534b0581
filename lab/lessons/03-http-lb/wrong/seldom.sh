# task: dies
# node: http-lb1
# hint: late
# from: solved
# As seldom as HAProxy does by itself.
sed -i 's/ inter [0-9a-z]* fastinter [0-9a-z]* downinter [0-9a-z]*/ inter 2s fastinter 2s downinter 2s/' /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
