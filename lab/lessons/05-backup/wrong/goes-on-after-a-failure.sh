# task: schedule
# node: backup1
# hint: goes-on
# from: solved
# The last whole dump stays, and each round makes a snapshot of it, whether there is a new one or not.
sed -i -e 's/^ *&& rsync/rsync/' -e 's/\(dump.sql\) \\$/\1/' /var/lib/backup/schedule
supervisorctl -c /etc/lab/supervisord.conf restart schedule
