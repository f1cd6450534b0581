# task: started
# node: storage1
# hint: not-started
# from: solved
# All options are set, and the volume is stopped.
gluster --mode=script volume stop www force
