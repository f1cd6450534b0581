# task: runs
# node: mysql2
# hint: no-gtid
# from: solved
# It follows by the place in a file, which says nothing to another source.
mariadb --execute 'STOP SLAVE; CHANGE MASTER TO MASTER_USE_GTID = no; START SLAVE'
