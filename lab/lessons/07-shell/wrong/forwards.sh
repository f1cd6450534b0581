# task: forwarding
# node: shell1
# hint: forwards
# from: solved
# As sshd has it by itself.
sed -i '/^AllowTcpForwarding/d' /etc/lab/sshd_config
supervisorctl -c /etc/lab/supervisord.conf stop sshd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start sshd || true
