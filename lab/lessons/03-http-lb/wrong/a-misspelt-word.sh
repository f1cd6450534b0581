# task: answers
# node: http-lb1
# hint: not-running
# A word that HAProxy does not know: it reads no further and ends.
printf 'frontend site\n    mode http\n    bint :80\n' > /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
until supervisorctl -c /etc/lab/supervisord.conf status haproxy | grep -q FATAL; do sleep 0.2; done
