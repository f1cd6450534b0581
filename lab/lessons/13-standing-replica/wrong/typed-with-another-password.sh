# task: runs
# node: mysql2
# hint: not-fetched
# from: solved
# Typed again, with another password: mysql1 refuses it.
mariadb --execute 'STOP SLAVE; CHANGE MASTER TO MASTER_PASSWORD = "guessed"; START SLAVE'
