# task: files
# node: backup1
# hint: owner
# from: solved
# The contents, as root's files of this moment.
rm -rf /var/lib/backup/files
cp -r /srv/www /var/lib/backup/files
