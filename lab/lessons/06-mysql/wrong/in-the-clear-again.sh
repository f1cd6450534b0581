# task: returns
# node: mysql1
# hint: not-fetched
# from: solved
# Without TLS: the new primary speaks to nobody in the clear either.
mariadb --execute 'STOP SLAVE; CHANGE MASTER TO MASTER_SSL = 0; START SLAVE'
