# task: returns
# node: mysql1
# hint: other-row
# from: solved
# The old primary is open again.
mariadb --execute 'SET GLOBAL read_only = OFF'
