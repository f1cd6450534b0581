# task: first-node
# node: mysql1
# hint: not-running
# An option that mariadbd does not know.
printf '[mariadbd]\ndatadirectory = /var/lib/mysql/data\n' > /etc/lab/my.cnf
supervisorctl -c /etc/lab/supervisord.conf stop mariadbd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start mariadbd || true
until supervisorctl -c /etc/lab/supervisord.conf status mariadbd | grep -q FATAL; do sleep 0.2; done
