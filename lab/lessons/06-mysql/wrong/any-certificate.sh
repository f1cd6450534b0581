# task: follows
# node: mysql2
# hint: not-verified
# from: solved
# With TLS, and any certificate will do.
mariadb --execute 'STOP SLAVE; CHANGE MASTER TO MASTER_SSL_VERIFY_SERVER_CERT = 0; START SLAVE'
