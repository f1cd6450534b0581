# task: holder
# node: tcp-lb1
# hint: no-holder
# from: solved
# The address is never said.
sed -i "/virtual_ipaddress/,/}/d" /etc/lab/keepalived.conf
supervisorctl -c /etc/lab/supervisord.conf stop keepalived > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start keepalived || true
