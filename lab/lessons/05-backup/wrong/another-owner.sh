# task: restore
# node: backup1
# hint: owner
# from: solved
# The contents are back, and belong to root.
chown root /srv/www/kept/*
