# task: restore
# node: backup1
# hint: other-place
# from: solved
# Without a slash at its end, the folder itself is brought back into the folder.
mkdir /srv/www/again
mv /srv/www/kept /srv/www/again/
mv /srv/www/again /srv/www/kept
