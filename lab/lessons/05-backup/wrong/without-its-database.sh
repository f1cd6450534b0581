# task: dump
# node: backup1
# hint: not-read
# from: solved
# The tables, and no word of the database that they belong to.
mariadb-dump --defaults-extra-file=/etc/lab/backup.cnf --host={{ address['mysql1'] }} \
    --single-transaction --master-data=2 --gtid guestbook > /var/lib/backup/dump.sql
