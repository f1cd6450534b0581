# task: follows
# node: mysql2
# hint: not-following
# from: solved
# Without TLS: the primary speaks to nobody in the clear.
mariadb --execute 'STOP SLAVE; CHANGE MASTER TO MASTER_SSL = 0; START SLAVE'
