# task: returns
# node: mysql1
# hint: two-open
# from: solved
# The old primary is open again.
mariadb --execute 'SET GLOBAL read_only = OFF'
