# task: second-node
# node: mysql2
# hint: opens-itself
# from: solved
# Closed until the next start.
sed -i '/^read-only/d' /etc/lab/my.cnf
mariadb --execute 'SET GLOBAL read_only = ON'
