# task: restore
# node: backup1
# hint: differs
# from: solved
# The contents are back, and belong to root.
chown root /srv/www/kept/*
