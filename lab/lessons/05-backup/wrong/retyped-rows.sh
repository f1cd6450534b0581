# task: restore
# node: backup1
# hint: other-rows
# from: solved
# The same numbers, typed again.
mariadb --defaults-extra-file=/etc/lab/restore.cnf --host={{ address['mysql1'] }} --execute 'CREATE OR REPLACE TABLE guestbook.{{ table }} (number INT PRIMARY KEY, code CHAR(32) NOT NULL) SELECT seq AS number, MD5(RAND()) AS code FROM guestbook.seq_1_to_{{ count }}'
