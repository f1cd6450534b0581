# task: follows
# node: mysql2
# hint: not-started
# from: solved
# Everything is set, and nothing is started.
mariadb --execute 'STOP SLAVE'
