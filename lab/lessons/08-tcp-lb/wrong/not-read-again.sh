# task: moves
# node: tcp-lb1
# hint: not-read
# from: solved
# The file says less, and keepalived goes by what it read before.
sed -i 's/advert_int .*/advert_int 1/' /etc/lab/keepalived.conf
supervisorctl -c /etc/lab/supervisord.conf stop keepalived > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start keepalived || true
sed -i 's/advert_int .*/advert_int 0.25/' /etc/lab/keepalived.conf
