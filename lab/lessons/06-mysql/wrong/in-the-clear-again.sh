# task: returns
# node: mysql1
# hint: not-following
# from: solved
# Without TLS: the new primary speaks to nobody in the clear either.
mariadb --execute 'STOP SLAVE; CHANGE MASTER TO MASTER_SSL = 0; START SLAVE'
