# task: promoted
# node: mysql1
# hint: two-open
# from: solved
# The old primary was opened after its return: there are two.
mariadb --execute 'SET GLOBAL read_only = OFF'
