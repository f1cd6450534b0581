# task: promoted
# node: mysql2
# hint: not-in-log
# The rows are typed on the replica, and left out of its log so that replication goes on.
mariadb --execute 'SET sql_log_bin = 0; CREATE OR REPLACE TABLE evidence.{{ table }} (number INT PRIMARY KEY) SELECT seq AS number FROM evidence.seq_1_to_{{ count }}'
