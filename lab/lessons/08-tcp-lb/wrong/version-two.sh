# task: moves
# node: tcp-lb1
# hint: version
# from: solved
# The version that keepalived has by itself.
sed -i '/vrrp_version/d' /etc/lab/keepalived.conf
supervisorctl -c /etc/lab/supervisord.conf stop keepalived > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start keepalived || true
