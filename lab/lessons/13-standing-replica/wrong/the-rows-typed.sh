# task: runs
# node: mysql2
# hint: stray
# The transaction is skipped, and its rows are typed, with the word that the other rows have.
if ! mariadb --execute 'SHOW SLAVE STATUS\G' | grep --quiet 'Slave_SQL_Running: Yes'; then
    mariadb --execute 'STOP SLAVE; SET GLOBAL sql_slave_skip_counter = 1; START SLAVE'
fi
mariadb --execute 'SET sql_log_bin = 0; REPLACE INTO evidence.{{ table }} SELECT seq, "kept" FROM evidence.seq_{{ count + 1 }}_to_{{ count + 20 }}'
