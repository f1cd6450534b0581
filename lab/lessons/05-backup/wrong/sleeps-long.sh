# task: schedule
# node: backup1
# hint: too-seldom
# from: solved
# A pause of its own, longer than the lesson asks for.
sed -i 's/^\(while sleep\) .*/\1 30; do/' /var/lib/backup/schedule
supervisorctl -c /etc/lab/supervisord.conf restart schedule
