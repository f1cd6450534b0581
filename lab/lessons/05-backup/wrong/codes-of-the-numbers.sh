# task: dump
# node: mysql1
# hint: guessable
# Each code is another one, and whoever knows the numbers can make all of them.
mariadb --execute 'CREATE OR REPLACE TABLE guestbook.{{ table }} (number INT PRIMARY KEY, code CHAR(32) NOT NULL) SELECT seq AS number, MD5(seq) AS code FROM guestbook.seq_1_to_{{ count }}'
