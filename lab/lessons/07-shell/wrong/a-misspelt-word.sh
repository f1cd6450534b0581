# task: answers
# node: shell1
# hint: not-running
# from: solved
# A word that sshd does not know.
echo 'PermitRootLogins no' >> /etc/lab/sshd_config
supervisorctl -c /etc/lab/supervisord.conf stop sshd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start sshd || true
until supervisorctl -c /etc/lab/supervisord.conf status sshd | grep -q FATAL; do sleep 0.2; done
