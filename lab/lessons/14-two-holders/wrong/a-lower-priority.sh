# task: one-holder
# node: tcp-lb2
# hint: two-holders
# A lower priority: who hears nobody does not compare.
sed -i 's/priority .*/priority 50/' /etc/lab/keepalived.conf
supervisorctl -c /etc/lab/supervisord.conf stop keepalived > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start keepalived || true
until [ "$(ip -4 -o address show dev eth0 | wc -l)" -gt 1 ]; do sleep 0.2; done
