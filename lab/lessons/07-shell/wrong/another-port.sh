# task: answers
# node: shell1
# hint: no-answer
# from: solved
# A port at which nobody looks for it.
sed -i 's/^Port .*/Port 2022/' /etc/lab/sshd_config
supervisorctl -c /etc/lab/supervisord.conf stop sshd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start sshd || true
