# task: pool
# node: http-lb1
# hint: typed
# from: solved
# The text is in a file, and says 1 whatever happens.
echo 'web1=1 web2=1' > /etc/lab/servers.txt
sed -i '/path \/servers/s/lf-string "[^"]*"/lf-file \/etc\/lab\/servers.txt/' /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
