# task: errors
# node: http-lb1
# hint: left-out
# The server that answers errors is taken out of the backend: no errors any more, and half of the site.
sed -i '/^    server {{ victim }} /d; s#{{ victim }}=%\[srv_is_up(web/{{ victim }})\] ##' /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
