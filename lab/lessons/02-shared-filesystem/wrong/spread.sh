# task: volume
# node: storage1
# hint: no-copies
# Three bricks, and each file on one of them.
for peer in storage1 storage2 storage3; do
    until [ "$(gluster --remote-host=$peer pool list | grep -c ' *Connected *$')" = 3 ]; do sleep 0.5; done
done
gluster --mode=script volume delete www > /dev/null 2>&1 || true
gluster --mode=script volume create www storage1:/bricks/www storage2:/bricks/www storage3:/bricks/www
