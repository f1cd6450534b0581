# task: promoted
# node: mysql2
# hint: closed
# from: solved
# It follows nobody, and nobody may write.
mariadb --execute 'SET GLOBAL read_only = ON'
