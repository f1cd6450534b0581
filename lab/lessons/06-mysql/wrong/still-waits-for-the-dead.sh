# task: promoted
# node: mysql2
# hint: still-follows
# from: solved
# It is open, and still looks for the primary that it had.
mariadb --execute "CHANGE MASTER TO MASTER_HOST = '{{ address['mysql1'] }}', MASTER_USER = 'replication'; START SLAVE"
