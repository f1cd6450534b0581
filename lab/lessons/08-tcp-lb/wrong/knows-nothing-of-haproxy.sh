# task: haproxy-hangs
# node: tcp-lb1
# hint: never
# from: solved
# Nothing tells keepalived of HAProxy.
sed -i "/^    track_file {/,/^    }/d" /etc/lab/keepalived.conf
supervisorctl -c /etc/lab/supervisord.conf stop keepalived > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start keepalived || true
