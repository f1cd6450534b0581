# task: same-rows
# node: mysql2
# hint: own-transaction
# The rows are the same afterwards, and the change is in the log of mysql2.
mariadb --execute 'UPDATE evidence.{{ table }} SET word = "kept" WHERE number = {{ changed }}'
