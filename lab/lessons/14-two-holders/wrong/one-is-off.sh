# task: one-holder
# node: tcp-lb2
# hint: not-running
# One keepalived, one holder.
supervisorctl -c /etc/lab/supervisord.conf stop keepalived
