# task: closed
# node: mysql1
# hint: primary-closed
# from: solved
# Both doors are closed, and nobody can write at all.
mariadb --execute 'SET GLOBAL read_only = ON'
