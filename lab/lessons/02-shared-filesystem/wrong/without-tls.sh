# task: started
# node: storage1
# hint: no-tls
# Started as it was created.
gluster --mode=script volume stop www force > /dev/null || true
gluster --mode=script volume reset www server.ssl
gluster --mode=script volume reset www client.ssl
gluster --mode=script volume start www
