# task: answers
# node: shell1
# hint: no-ed25519
# from: solved
# A key of another kind than the one that everybody knows.
[ -e /etc/lab/own_ecdsa ] || ssh-keygen -q -t ecdsa -N '' -f /etc/lab/own_ecdsa
sed -i 's#^HostKey .*#HostKey /etc/lab/own_ecdsa#' /etc/lab/sshd_config
supervisorctl -c /etc/lab/supervisord.conf stop sshd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start sshd || true
