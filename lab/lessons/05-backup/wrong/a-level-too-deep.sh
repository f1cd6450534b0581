# task: files
# node: backup1
# hint: below
# from: solved
# Without a slash at its end, the folder itself is copied.
rm -rf /var/lib/backup/files
rsync --archive /srv/www /var/lib/backup/files/
