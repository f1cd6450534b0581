# task: moves
# node: tcp-lb2
# hint: never
# from: solved
# It watches a file that always says that HAProxy does not answer, and takes the VIP from nobody.
echo 1 > /run/keepalived/always
sed -i 's#file /run/keepalived/haproxy#file /run/keepalived/always#' /etc/lab/keepalived.conf
supervisorctl -c /etc/lab/supervisord.conf stop keepalived > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start keepalived || true
