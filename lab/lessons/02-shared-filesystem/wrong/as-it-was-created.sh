# task: started
# node: storage1
# hint: admits-all
# from: solved
# TLS is on, and the list is as GlusterFS has it by itself: whoever has a certificate.
gluster --mode=script volume reset www auth.ssl-allow
