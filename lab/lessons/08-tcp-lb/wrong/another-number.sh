# task: second
# node: tcp-lb2
# hint: other-router
# from: solved
# A number for each node: each is alone with its own.
sed -i 's/virtual_router_id .*/virtual_router_id 51/' /etc/lab/keepalived.conf
supervisorctl -c /etc/lab/supervisord.conf stop keepalived > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start keepalived || true
