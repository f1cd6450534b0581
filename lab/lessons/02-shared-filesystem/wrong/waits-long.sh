# task: hangs
# node: storage1
# hint: slow
# As long as GlusterFS waits by itself.
gluster --mode=script volume set www network.ping-timeout 42
