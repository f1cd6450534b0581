# task: restore
# node: backup1
# hint: other-files
# from: solved
# Three files of the same names, owners and modes, written again.
for name in one two three; do
    echo "something of $name" > /srv/www/kept/$name
done
