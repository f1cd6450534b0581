# task: repository
# node: backup1
# hint: no-files
# from: solved
# The rows, without the files that belong to them.
restic --no-cache --quiet --repo /var/lib/backup/by-hand --password-file /etc/lab/repository backup /var/lib/backup/dump.sql
