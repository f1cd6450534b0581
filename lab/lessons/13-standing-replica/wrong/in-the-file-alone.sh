# task: closed
# node: mysql2
# hint: open
# In the file alone: the running server has not read it.
mariadb --execute 'SET GLOBAL read_only = OFF'
echo 'read-only = ON' >> /etc/lab/my.cnf
