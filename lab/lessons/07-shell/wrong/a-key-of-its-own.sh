# task: answers
# node: shell1
# hint: other-key
# from: solved
# A new key: nobody knows it.
[ -e /etc/lab/own_key ] || ssh-keygen -q -t ed25519 -N '' -f /etc/lab/own_key
sed -i 's#^HostKey .*#HostKey /etc/lab/own_key#' /etc/lab/sshd_config
supervisorctl -c /etc/lab/supervisord.conf stop sshd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start sshd || true
