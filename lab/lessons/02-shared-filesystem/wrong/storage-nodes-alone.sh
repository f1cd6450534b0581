# task: started
# node: storage1
# hint: not-admitted
# from: solved
# The storage nodes are clients too, and the web nodes were forgotten.
gluster --mode=script volume set www auth.ssl-allow 'storage*'
