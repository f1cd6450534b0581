# task: answers
# node: shell1
# hint: not-running
# from: solved
# A word that sshd does not know.
echo 'PermitRootLogins no' >> /etc/lab/sshd_config
supervisorctl -c /etc/lab/supervisord.conf stop sshd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start sshd || true
sleep 8
