# task: repository
# node: backup1
# hint: no-dump
# from: solved
# The files, without the rows that belong to them.
restic --no-cache --quiet --repo /var/lib/backup/by-hand --password-file /etc/lab/repository backup /var/lib/backup/files
