# task: soon
# node: http-lb1
# hint: never
# from: solved
# One server alone is checked: the words are in its line, and the other has none.
words=$(sed -n 's/^    default-server \(check inter .* rise [0-9]*\).*/\1/p' /etc/lab/haproxy.cfg)
sed -i "s/^    default-server check inter .* rise [0-9]*/    default-server/; s/^    server {{ 'web2' if victim == 'web1' else 'web1' }} .*/& $words/" /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
