# task: first-node
# node: mysql1
# hint: no-log
# from: solved
# Nothing is logged: no replica can follow.
sed -i '/^log-bin/d' /etc/lab/my.cnf
supervisorctl -c /etc/lab/supervisord.conf stop mariadbd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start mariadbd || true
