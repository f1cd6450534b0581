# task: files
# node: backup1
# hint: time
# from: solved
# Contents, owners and modes, as files of this moment.
rm -rf /var/lib/backup/files
mkdir -p /var/lib/backup/files
rsync --recursive --owner --group --perms /srv/www/ /var/lib/backup/files/
touch -d '1 hour ago' /var/lib/backup/files/kept/*
