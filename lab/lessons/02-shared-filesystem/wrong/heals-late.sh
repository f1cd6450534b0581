# task: started
# node: storage1
# hint: heals-late
# from: solved
# What one node missed waits for ten minutes.
gluster --mode=script volume reset www cluster.heal-timeout
