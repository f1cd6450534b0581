# task: follows
# node: mysql2
# hint: no-gtid
# from: solved
# By a file's name and a place in it, as before there were GTIDs.
mariadb --execute 'STOP SLAVE; CHANGE MASTER TO MASTER_USE_GTID = no; START SLAVE'
