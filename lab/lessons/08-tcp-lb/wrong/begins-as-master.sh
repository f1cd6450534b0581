# task: stays
# node: tcp-lb2
# hint: preempts
# from: solved
# With this state `nopreempt` is ignored.
sed -i 's/state BACKUP/state MASTER/' /etc/lab/keepalived.conf
supervisorctl -c /etc/lab/supervisord.conf stop keepalived > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start keepalived || true
