# task: follows
# node: mysql2
# hint: not-fetched
# from: solved
# Without TLS: the primary speaks to nobody in the clear.
mariadb --execute 'STOP SLAVE; CHANGE MASTER TO MASTER_SSL = 0; START SLAVE'
