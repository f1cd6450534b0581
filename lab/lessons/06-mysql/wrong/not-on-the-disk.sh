# task: first-node
# node: mysql1
# hint: not-safe
# from: solved
# What was committed is in memory for a while.
sed -i 's/^sync-binlog = .*/sync-binlog = 0/' /etc/lab/my.cnf
supervisorctl -c /etc/lab/supervisord.conf stop mariadbd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start mariadbd || true
