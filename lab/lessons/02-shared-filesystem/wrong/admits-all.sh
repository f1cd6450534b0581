# task: started
# node: storage1
# hint: admits-all
# from: solved
# The list ends with a name that is everybody's.
gluster --mode=script volume set www auth.ssl-allow 'web*,storage*,*'
