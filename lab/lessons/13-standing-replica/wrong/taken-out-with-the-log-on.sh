# task: runs
# node: mysql2
# hint: own-transaction
# The row is removed, and so is the order: the removal has a GTID of mysql2.
mariadb --execute 'DELETE FROM evidence.{{ table }} WHERE number = {{ count + 1 }}; START SLAVE'
until mariadb --execute 'SHOW SLAVE STATUS\G' | grep --quiet 'Last_SQL_Errno: 1950'; do sleep 0.2; done
