# task: same-rows
# node: mysql1
# hint: source-changed
# The rows are the same afterwards, and wrong: mysql1 was made what mysql2 is.
mariadb --execute 'UPDATE evidence.{{ table }} SET word = "other" WHERE number = {{ changed }}'
