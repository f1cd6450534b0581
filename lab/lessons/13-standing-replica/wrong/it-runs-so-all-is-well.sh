# task: same-rows
# node: mysql2
# hint: other-rows
# Both threads run, so the rows must be the same.
mariadb --execute 'SHOW SLAVE STATUS\G' | grep --quiet 'Slave_SQL_Running: Yes'
