# task: volume
# node: storage1
# hint: other-brick
# Three copies, in another folder of each disk.
for peer in storage1 storage2 storage3; do
    until [ "$(gluster --remote-host=$peer pool list | grep -c ' *Connected *$')" = 3 ]; do sleep 0.5; done
done
gluster --mode=script volume create www replica 3 storage1:/bricks/data storage2:/bricks/data storage3:/bricks/data
