# task: first-node
# node: mysql1
# hint: opens-itself
# from: solved
# Closed by nobody: it is open whenever it starts.
sed -i '/^read-only/d' /etc/lab/my.cnf
