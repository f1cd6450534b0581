# task: second-node
# node: mysql2
# hint: logs-own-alone
# from: solved
# What it carries out for mysql1 is not in its own log, and none could follow it.
sed -i '/^log-slave-updates/d' /etc/lab/my.cnf
supervisorctl -c /etc/lab/supervisord.conf stop mariadbd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start mariadbd || true
