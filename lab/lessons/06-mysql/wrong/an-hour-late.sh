# task: returns
# node: mysql1
# hint: stale
# from: solved
# It follows, an hour behind.
mariadb --execute 'STOP SLAVE; CHANGE MASTER TO MASTER_DELAY = 3600; START SLAVE'
