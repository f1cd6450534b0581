# task: closed
# node: mysql2
# hint: own-transaction
# from: solved
# Is it closed? Root, for whom it never is, tries.
mariadb --execute 'CREATE TABLE evidence.tried (number INT PRIMARY KEY); DROP TABLE evidence.tried'
