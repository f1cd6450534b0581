# task: second
# node: tcp-lb2
# hint: other-priority
# from: solved
# The file of tcp-lb1, with the addresses exchanged and no more.
sed -i 's/priority .*/priority 200/' /etc/lab/keepalived.conf
supervisorctl -c /etc/lab/supervisord.conf stop keepalived > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start keepalived || true
