# task: answers
# node: http-lb1
# hint: no-server
# The web servers listen on port 80.
cat > /etc/lab/haproxy.cfg <<END
defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s
frontend site
    bind :80
    default_backend web
backend web
    server web1 {{ address['web1'] }}:8080
    server web2 {{ address['web2'] }}:8080
END
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
