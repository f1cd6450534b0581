# task: restore
# node: backup1
# hint: never-lost
# The files are lost and brought back; the table never was lost.
test -e /srv/www/kept/one
