# task: first-node
# node: mysql1
# hint: no-database
# from: solved
# The socket that the documentation has.
sed -i 's#^socket = .*#socket = /run/mysqld/mysqld.sock#' /etc/lab/my.cnf
supervisorctl -c /etc/lab/supervisord.conf stop mariadbd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start mariadbd || true
