# task: moves
# node: tcp-lb2
# hint: late
# from: solved
# A whole second, as keepalived has it by itself.
sed -i "s/advert_int .*/advert_int 1/" /etc/lab/keepalived.conf
supervisorctl -c /etc/lab/supervisord.conf stop keepalived > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start keepalived || true
