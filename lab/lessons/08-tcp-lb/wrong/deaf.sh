# task: second
# node: tcp-lb2
# hint: two-holders
# from: solved
# The peer is the own address: neither hears the other.
read -r own other < /etc/lab/vrrp
sed -i "s/^        $other\$/        $own/" /etc/lab/keepalived.conf
supervisorctl -c /etc/lab/supervisord.conf stop keepalived > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start keepalived || true
until [ "$(ip -4 -o address show dev eth0 | wc -l)" -gt 1 ]; do sleep 0.2; done
