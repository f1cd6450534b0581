# task: second-node
# node: mysql2
# hint: other-number
# from: solved
# The file of mysql1, as it is.
sed -i 's/^server-id = .*/server-id = {{ first }}/' /etc/lab/my.cnf
supervisorctl -c /etc/lab/supervisord.conf stop mariadbd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start mariadbd || true
