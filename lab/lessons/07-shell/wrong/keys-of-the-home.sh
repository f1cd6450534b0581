# task: key
# node: shell1
# hint: own-keys
# from: solved
# Keys in the home as well, as sshd has it by itself.
sed -i '/^AuthorizedKeysFile/d' /etc/lab/sshd_config
supervisorctl -c /etc/lab/supervisord.conf stop sshd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start sshd || true
until [ -e /run/sshd.pid ]; do sleep 0.2; done
