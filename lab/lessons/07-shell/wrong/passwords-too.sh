# task: key
# node: shell1
# hint: passwords
# from: solved
# A key may, a password may too.
sed -i 's/^PasswordAuthentication .*/PasswordAuthentication yes/; s/^AuthenticationMethods .*/AuthenticationMethods any/' /etc/lab/sshd_config
supervisorctl -c /etc/lab/supervisord.conf stop sshd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start sshd || true
