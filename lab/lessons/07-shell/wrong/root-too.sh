# task: key
# node: shell1
# hint: root-too
# from: solved
# With a key root may log in.
sed -i 's/^PermitRootLogin .*/PermitRootLogin prohibit-password/' /etc/lab/sshd_config
supervisorctl -c /etc/lab/supervisord.conf stop sshd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start sshd || true
