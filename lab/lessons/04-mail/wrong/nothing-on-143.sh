# task: read
# node: mail1
# hint: closed
# from: solved
# Nobody can log in in the clear where nothing listens.
sed -i 's/port = 143$/port = 0/' /etc/lab/dovecot.conf
supervisorctl -c /etc/lab/supervisord.conf stop dovecot > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start dovecot || true
