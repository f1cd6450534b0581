# task: schedule
# node: backup1
# hint: not-executable
# from: solved
# A file is not a program.
chmod 644 /var/lib/backup/schedule
supervisorctl -c /etc/lab/supervisord.conf stop schedule > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start schedule || true
