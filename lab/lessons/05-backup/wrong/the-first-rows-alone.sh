# task: repository
# node: backup1
# hint: other-rows
# from: solved
# The dump is made again, of some rows, and kept.
mariadb-dump --defaults-extra-file=/etc/lab/backup.cnf --host={{ address['mysql1'] }} \
    --single-transaction --master-data=2 --gtid --where 'number < 50' --databases guestbook > /var/lib/backup/dump.sql
restic --no-cache --quiet --repo /var/lib/backup/by-hand --password-file /etc/lab/repository backup /var/lib/backup/dump.sql /var/lib/backup/files
