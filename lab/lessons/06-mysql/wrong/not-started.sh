# task: follows
# node: mysql2
# hint: not-following
# from: solved
# Everything is set, and nothing is started.
mariadb --execute 'STOP SLAVE'
