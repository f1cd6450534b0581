# task: files
# node: backup1
# hint: missing
# from: solved
# Copied before the last file was there.
rm /var/lib/backup/files/kept/three
