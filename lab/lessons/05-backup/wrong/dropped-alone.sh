# task: restore
# node: backup1
# hint: no-table
# from: solved
# What is lost is lost: the table is not read back.
mariadb --defaults-extra-file=/etc/lab/restore.cnf --host={{ address['mysql1'] }} --execute 'DROP TABLE guestbook.{{ table }}'
