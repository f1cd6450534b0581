# task: dump
# node: backup1
# hint: no-rows
# from: solved
# The tables without what is in them.
mariadb-dump --defaults-extra-file=/etc/lab/backup.cnf --host={{ address['mysql1'] }} --no-data \
    --single-transaction --master-data=2 --gtid --databases guestbook > /var/lib/backup/dump.sql
