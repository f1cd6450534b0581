# task: key
# node: http-lb1
# hint: readable
# from: solved
# The file is closed, and HAProxy has a copy of it that all can read.
install -m 644 /etc/lab/site.pem /etc/lab/own.pem
sed -i 's#crt /etc/lab/site.pem#crt /etc/lab/own.pem#' /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
