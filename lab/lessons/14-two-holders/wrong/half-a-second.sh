# task: moves
# node: tcp-lb2
# hint: late
# from: solved
# Half a second: three of them, and a part of a fourth, are more than one.
sed -i 's/advert_int .*/advert_int 0.5/' /etc/lab/keepalived.conf
supervisorctl -c /etc/lab/supervisord.conf stop keepalived > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start keepalived || true
