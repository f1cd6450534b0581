# task: runs
# node: mysql2
# hint: not-applied
# Once more: the same transaction fails again.
mariadb --execute 'STOP SLAVE; START SLAVE'
