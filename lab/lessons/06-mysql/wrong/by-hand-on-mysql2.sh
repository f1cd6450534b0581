# task: promoted
# node: mysql2
# hint: other-server
# The rows are typed on the replica; in a domain of their own, so that those of mysql1 stay in order.
mariadb --execute 'SET gtid_domain_id = 9; CREATE OR REPLACE TABLE evidence.{{ table }} (number INT PRIMARY KEY) SELECT seq AS number FROM evidence.seq_1_to_{{ count }}'
