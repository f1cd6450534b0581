# task: schedule
# node: backup1
# hint: no-files
# from: solved
# Each round keeps the copy that was made once by hand.
sed -i '/rsync/d' /var/lib/backup/schedule
supervisorctl -c /etc/lab/supervisord.conf restart schedule
