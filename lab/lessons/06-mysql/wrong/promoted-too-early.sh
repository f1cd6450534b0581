# task: follows
# node: mysql2
# hint: replaced
# from: solved
# It takes the place of a primary that is alive.
mariadb --execute 'STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only = OFF'
