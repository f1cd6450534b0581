# task: forwarding
# node: shell1
# hint: not-read
# from: solved
# Tunnels are forbidden by the file, and not by the sshd that runs.
sed -i 's/^PermitTunnel .*/PermitTunnel yes/' /etc/lab/sshd_config
supervisorctl -c /etc/lab/supervisord.conf stop sshd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start sshd || true
until [ -e /run/sshd.pid ]; do sleep 0.2; done
sed -i 's/^PermitTunnel .*/PermitTunnel no/' /etc/lab/sshd_config
