# task: schedule
# node: backup1
# hint: no-shell
# from: solved
# Nothing says which program reads it.
sed -i 1d /var/lib/backup/schedule
