# task: holder
# node: tcp-lb1
# hint: no-holder
# from: solved
# Another address than that of the site.
sed -i "/virtual_ipaddress/,/}/s#{{ vip }}/#192.0.2.77/#" /etc/lab/keepalived.conf
supervisorctl -c /etc/lab/supervisord.conf stop keepalived > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start keepalived || true
