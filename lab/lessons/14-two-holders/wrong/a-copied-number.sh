# task: moves
# node: tcp-lb1
# hint: other-router
# from: solved
# The file of another pair, with its number.
sed -i 's/virtual_router_id .*/virtual_router_id 51/' /etc/lab/keepalived.conf
supervisorctl -c /etc/lab/supervisord.conf stop keepalived > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start keepalived || true
