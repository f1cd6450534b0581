# task: promoted
# node: mysql1
# hint: two-open
# from: solved
# The old primary was opened after its return: there are two.
until mariadb --execute 'SET GLOBAL read_only = OFF' 2> /dev/null; do sleep 0.2; done
