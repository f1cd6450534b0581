# task: second
# node: tcp-lb2
# hint: other-priority
# from: solved
# The file is right, and keepalived has never read it.
sed -i 's/priority .*/priority 150/' /etc/lab/keepalived.conf
supervisorctl -c /etc/lab/supervisord.conf stop keepalived > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start keepalived || true
sed -i 's/priority .*/priority 199/' /etc/lab/keepalived.conf
