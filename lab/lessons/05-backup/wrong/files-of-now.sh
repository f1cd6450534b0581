# task: restore
# node: backup1
# hint: time
# from: solved
# The contents are back, as files of this moment.
touch /srv/www/kept/*
