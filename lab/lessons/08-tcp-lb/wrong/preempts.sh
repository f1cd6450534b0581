# task: stays
# node: tcp-lb1
# hint: above-bound
# from: solved
# The node with the higher priority takes the VIP whenever it can.
sed -i "/nopreempt/d" /etc/lab/keepalived.conf
supervisorctl -c /etc/lab/supervisord.conf stop keepalived > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start keepalived || true
