# task: follows
# node: mysql1
# hint: closed
# from: solved
# The primary stays as its file leaves it.
mariadb --execute 'SET GLOBAL read_only = ON'
