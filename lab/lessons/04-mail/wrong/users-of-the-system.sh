# task: read
# node: mail1
# hint: no-login
# from: solved
# Dovecot asks the users of the system, of whom none has mail.
sed -i '/^passdb {/,/^}/{s/driver = sql/driver = passwd-file/; s#args = .*#args = /etc/passwd#}' /etc/lab/dovecot.conf
supervisorctl -c /etc/lab/supervisord.conf stop dovecot > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start dovecot || true
