# task: dump
# node: backup1
# hint: no-end
# from: solved
# The connection broke, or the disk was full.
sed -i '/Dump completed/d' /var/lib/backup/dump.sql
