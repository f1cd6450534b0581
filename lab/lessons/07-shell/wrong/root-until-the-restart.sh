# task: key
# node: shell1
# hint: not-read
# from: solved
# Root is refused by the file, and not by the sshd that runs.
sed -i 's/^PermitRootLogin .*/PermitRootLogin prohibit-password/' /etc/lab/sshd_config
supervisorctl -c /etc/lab/supervisord.conf stop sshd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start sshd || true
until [ -e /run/sshd.pid ]; do sleep 0.2; done
sed -i 's/^PermitRootLogin .*/PermitRootLogin no/' /etc/lab/sshd_config
