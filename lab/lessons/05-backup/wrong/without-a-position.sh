# task: dump
# node: backup1
# hint: no-position
# from: solved
# All rows, and no word of the transaction at which they were read.
mariadb-dump --defaults-extra-file=/etc/lab/backup.cnf --host={{ address['mysql1'] }} --databases guestbook > /var/lib/backup/dump.sql
