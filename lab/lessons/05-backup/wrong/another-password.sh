# task: repository
# node: backup1
# hint: not-opened
# A password that somebody made up, and will not remember.
rm -rf /var/lib/backup/by-hand
RESTIC_PASSWORD=secret restic --no-cache --quiet --repo /var/lib/backup/by-hand init
