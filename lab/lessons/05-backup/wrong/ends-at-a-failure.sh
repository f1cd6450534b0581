# task: schedule
# node: backup1
# hint: ended
# from: solved
# The first failure is the end of all backups.
sed -i 's/|| echo "this backup failed"/|| exit 1/' /var/lib/backup/schedule
supervisorctl -c /etc/lab/supervisord.conf restart schedule
