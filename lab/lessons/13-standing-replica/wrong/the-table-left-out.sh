# task: runs
# node: mysql2
# hint: filtered
# The table is left out of replication, and its rows are typed: what comes next never arrives.
mariadb <<SQL
STOP SLAVE;
SET GLOBAL replicate_ignore_table = 'evidence.{{ table }}';
SET sql_log_bin = 0;
DELETE FROM evidence.{{ table }} WHERE word = 'stray';
REPLACE INTO evidence.{{ table }} SELECT seq, 'new' FROM evidence.seq_{{ count + 1 }}_to_{{ count + 20 }};
START SLAVE;
SQL
