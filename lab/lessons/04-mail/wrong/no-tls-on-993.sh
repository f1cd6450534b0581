# task: read
# node: mail1
# hint: no-tls
# from: solved
# A listener of its own for port 993, without TLS.
sed -i '/port = 993$/,/}/s/ssl = yes/ssl = no/' /etc/lab/dovecot.conf
supervisorctl -c /etc/lab/supervisord.conf stop dovecot > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start dovecot || true
