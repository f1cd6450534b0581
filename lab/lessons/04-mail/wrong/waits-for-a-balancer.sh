# task: read
# node: mail1
# hint: silent
# from: solved
# Port 143 waits for a balancer that says who connects, and ends what begins otherwise.
sed -i 's/port = 143$/port = 143\n    haproxy = yes/' /etc/lab/dovecot.conf
supervisorctl -c /etc/lab/supervisord.conf stop dovecot > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start dovecot || true
