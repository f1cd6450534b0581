# task: acknowledged
# node: mysql1
# hint: does-not-wait
# from: solved
# The replica acknowledges, and the primary waits for nobody.
mariadb --execute 'SET GLOBAL rpl_semi_sync_master_enabled = OFF'
