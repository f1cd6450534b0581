# task: files
# node: backup1
# hint: extra
# from: solved
# The copy keeps what the volume has not.
echo gone > /var/lib/backup/files/kept/gone
