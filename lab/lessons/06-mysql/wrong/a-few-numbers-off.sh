# task: promoted
# node: mysql1
# hint: other-rows
# As many rows, with other numbers.
mariadb --execute 'CREATE OR REPLACE TABLE evidence.{{ table }} (number INT PRIMARY KEY) SELECT seq + 5 AS number FROM evidence.seq_1_to_{{ count }}'
