# task: second-node
# node: mysql2
# hint: begins-by-itself
# from: solved
# After a failure it replicates before anybody has looked.
sed -i '/^skip-slave-start/d' /etc/lab/my.cnf
