# task: redirect
# node: http-lb1
# hint: elsewhere
# from: solved
# Each page is sent to the front page.
sed -i 's#redirect scheme https code 301 if#redirect location https://{{ site }}/ code 301 if#' /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
