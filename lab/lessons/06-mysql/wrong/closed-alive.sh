# task: promoted
# node: mysql1
# hint: never-died
# The primary is closed, and no failure happens.
mariadb --execute 'CREATE OR REPLACE TABLE evidence.{{ table }} (number INT PRIMARY KEY) SELECT seq AS number FROM evidence.seq_1_to_{{ count }}; SET GLOBAL read_only = ON'
