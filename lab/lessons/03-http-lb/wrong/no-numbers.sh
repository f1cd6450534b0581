# task: dies
# node: http-lb1
# hint: no-value
# from: solved
# Checked, and no number says how often.
sed -i 's/ inter [0-9a-z]* fastinter [0-9a-z]* downinter [0-9a-z]* fall [0-9]* rise [0-9]*//' /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
