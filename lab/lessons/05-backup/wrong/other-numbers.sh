# task: dump
# node: mysql1
# hint: other-row
# As many rows, with other numbers.
mariadb --execute 'CREATE OR REPLACE TABLE guestbook.{{ table }} (number INT PRIMARY KEY, code CHAR(32) NOT NULL) SELECT seq + 5 AS number, MD5(RAND()) AS code FROM guestbook.seq_1_to_{{ count }}'
