# task: files
# node: backup1
# hint: not-of-nobody
# from: solved
# A file that root made, as root makes files.
chown root /srv/www/kept/three
