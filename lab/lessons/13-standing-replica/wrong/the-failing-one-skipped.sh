# task: runs
# node: mysql2
# hint: skipped
# The classic: the thread runs, and the other rows of the transaction are lost.
mariadb --execute 'STOP SLAVE; SET GLOBAL sql_slave_skip_counter = 1; START SLAVE'
