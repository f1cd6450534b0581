# task: dump
# node: mysql1
# hint: same-codes
# A code that anybody can type again.
mariadb --execute 'CREATE OR REPLACE TABLE guestbook.{{ table }} (number INT PRIMARY KEY, code CHAR(32) NOT NULL) SELECT seq AS number, MD5(1) AS code FROM guestbook.seq_1_to_{{ count }}'
