# task: read
# node: mail1
# hint: any-password
# from: solved
# A password is asked for, and not compared.
sed -i '/^passdb {/,/^}/{s/driver = sql/driver = static/; s#args = .*#args = nopassword=y#}' /etc/lab/dovecot.conf
supervisorctl -c /etc/lab/supervisord.conf stop dovecot > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start dovecot || true
