# task: started
# node: storage1
# hint: not-admitted
# from: solved
# TLS is on, and no name is admitted.
gluster --mode=script volume reset www auth.ssl-allow
