# task: mounted
# node: web1
# hint: other-uploads
# The directory is root's: the guest book can't write there.
echo "www /srv/shared uploads root:root 0750" > /etc/lab/mounts
supervisorctl -c /etc/lab/supervisord.conf restart mounts
until mountpoint -q /srv/shared && [ -d /srv/shared/uploads ]; do sleep 0.5; done
echo {{ word }} > /srv/shared/{{ word }}
