# task: schedule
# node: backup1
# hint: half-dump
# from: solved
# No later step after a failure; and no whole dump any more.
sed -i -e 's/dump\.new \\$/dump.sql \\/' -e '/&& mv /d' /var/lib/backup/schedule
supervisorctl -c /etc/lab/supervisord.conf restart schedule
