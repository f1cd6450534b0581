# task: acknowledged
# node: mysql1
# hint: nobody-acknowledges
# One end alone: nobody acknowledges.
mariadb --execute 'SET GLOBAL rpl_semi_sync_master_enabled = ON'
