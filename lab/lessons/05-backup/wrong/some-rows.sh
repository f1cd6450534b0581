# task: dump
# node: backup1
# hint: other-rows
# from: solved
# The first rows, as of a dump that was made too early.
mariadb-dump --defaults-extra-file=/etc/lab/backup.cnf --host={{ address['mysql1'] }} \
    --single-transaction --master-data=2 --gtid --where 'number < 50' --databases guestbook > /var/lib/backup/dump.sql
