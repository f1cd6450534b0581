# task: mounted
# node: web1
# hint: not-mounted
# The volume has another name.
echo "shared /srv/shared" > /etc/lab/mounts
supervisorctl -c /etc/lab/supervisord.conf restart mounts
