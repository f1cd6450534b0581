# task: closed
# node: mysql2
# hint: not-in-file
# In the running server alone.
sed -i '/^read-only/d' /etc/lab/my.cnf
mariadb --execute 'SET GLOBAL read_only = ON'
