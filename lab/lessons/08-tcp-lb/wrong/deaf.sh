# task: second
# node: tcp-lb2
# hint: two-holders
# from: solved
# The peer is the own address: neither hears the other.
read -r own other < /etc/lab/vrrp
sed -i "s/^        $other\$/        $own/" /etc/lab/keepalived.conf
supervisorctl -c /etc/lab/supervisord.conf stop keepalived > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start keepalived || true
sleep 5
