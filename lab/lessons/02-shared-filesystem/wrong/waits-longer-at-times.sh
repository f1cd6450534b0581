# task: hangs
# node: storage1
# hint: slow
# from: solved
# Eight seconds: many hangs cost less than twelve, and some sixteen.
gluster --mode=script volume set www network.ping-timeout 8
