# task: repository
# node: backup1
# hint: in-itself
# from: solved
# The whole folder, with the repository in it.
restic --no-cache --quiet --repo /var/lib/backup/by-hand --password-file /etc/lab/repository backup /var/lib/backup
