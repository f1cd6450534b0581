# task: moves
# node: tcp-lb1
# hint: late
# from: solved
# The holder sends an advert a second, and the file of the other one says less: it waits for the adverts that it gets.
sed -i 's/advert_int .*/advert_int 1/; /nopreempt/d' /etc/lab/keepalived.conf
supervisorctl -c /etc/lab/supervisord.conf stop keepalived > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start keepalived || true
until ip -4 address show eth0 | grep -qF '{{ vip }}/'; do sleep 0.2; done
