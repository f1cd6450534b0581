# task: mounted
# node: web1
# hint: no-file
# It is mounted, and nothing was written there.
echo "www /srv/shared" > /etc/lab/mounts
supervisorctl -c /etc/lab/supervisord.conf restart mounts
until mountpoint -q /srv/shared; do sleep 0.5; done
