# task: started
# node: storage1
# hint: not-admitted
# from: solved
# The storage nodes can't write to each other what one of them has missed.
gluster --mode=script volume set www auth.ssl-allow 'web*'
