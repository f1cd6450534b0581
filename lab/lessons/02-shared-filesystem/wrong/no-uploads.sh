# task: mounted
# node: web1
# hint: no-uploads
# The mount alone: nothing makes the directory.
echo "www /srv/shared" > /etc/lab/mounts
supervisorctl -c /etc/lab/supervisord.conf restart mounts
until mountpoint -q /srv/shared; do sleep 0.5; done
echo {{ word }} > /srv/shared/{{ word }}
