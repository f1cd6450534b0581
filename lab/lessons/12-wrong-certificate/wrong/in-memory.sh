# task: returns
# node: http-lb1
# hint: never-returns
# from: solved
# The right certificate, in memory.
cp -p /etc/lab/site.pem /run/site.pem
sed -i 's#crt /etc/lab/site.pem#crt /run/site.pem#' /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
