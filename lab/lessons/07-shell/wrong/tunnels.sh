# task: forwarding
# node: shell1
# hint: forwards
# from: solved
# No TCP, and a tunnel for all of it.
sed -i 's/^PermitTunnel .*/PermitTunnel yes/' /etc/lab/sshd_config
supervisorctl -c /etc/lab/supervisord.conf stop sshd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start sshd || true
