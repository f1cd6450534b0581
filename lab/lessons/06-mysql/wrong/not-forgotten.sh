# task: promoted
# node: mysql2
# hint: still-follows
# from: solved
# Its threads are stopped, and it still has a primary: the next START SLAVE follows the old one.
mariadb --execute "CHANGE MASTER TO MASTER_HOST = '{{ address['mysql1'] }}', MASTER_USER = 'replication'"
