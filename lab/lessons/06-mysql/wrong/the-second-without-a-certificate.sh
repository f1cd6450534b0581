# task: second-node
# node: mysql2
# hint: no-tls
# from: solved
# It speaks in the clear alone.
sed -i '/^ssl-/d' /etc/lab/my.cnf
supervisorctl -c /etc/lab/supervisord.conf stop mariadbd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start mariadbd || true
