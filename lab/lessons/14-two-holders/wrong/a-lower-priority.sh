# task: one-holder
# node: tcp-lb2
# hint: two-holders
# A lower priority: who hears nobody does not compare.
sed -i 's/priority .*/priority 50/' /etc/lab/keepalived.conf
supervisorctl -c /etc/lab/supervisord.conf stop keepalived > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start keepalived || true
sleep 6
