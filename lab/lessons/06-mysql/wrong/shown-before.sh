# task: acknowledged
# node: mysql1
# hint: other-point
# from: solved
# Others see a row, and a replica has it later, or never.
mariadb --execute 'SET GLOBAL rpl_semi_sync_master_wait_point = AFTER_COMMIT'
