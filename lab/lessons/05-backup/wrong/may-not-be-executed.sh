# task: schedule
# node: backup1
# hint: not-running
# from: solved
# A file is not a program.
chmod 644 /var/lib/backup/schedule
supervisorctl -c /etc/lab/supervisord.conf stop schedule > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start schedule || true
until supervisorctl -c /etc/lab/supervisord.conf status schedule | grep -q FATAL; do sleep 0.2; done
