# task: runs
# node: mysql2
# hint: filtered
# from: solved
# The table is left out of replication: its rows are right, and what comes next never arrives.
mariadb --execute "STOP SLAVE; SET GLOBAL replicate_ignore_table = 'evidence.{{ table }}'; START SLAVE"
