# task: moves
# node: tcp-lb1
# hint: late
# from: solved
# The other one waits for the adverts that it gets.
sed -i 's/advert_int .*/advert_int 1/' /etc/lab/keepalived.conf
supervisorctl -c /etc/lab/supervisord.conf stop keepalived > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start keepalived || true
