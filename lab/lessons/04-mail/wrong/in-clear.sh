# task: read
# node: mail1
# hint: in-clear
# from: solved
# A password is taken on any connection.
sed -i 's/^ssl = .*/ssl = yes/; s/^disable_plaintext_auth = .*/disable_plaintext_auth = no/' /etc/lab/dovecot.conf
supervisorctl -c /etc/lab/supervisord.conf stop dovecot > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start dovecot || true
