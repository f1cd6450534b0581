# task: key
# node: http-lb1
# hint: owner
# from: solved
# The file belongs to HAProxy's user, and so to whoever breaks into HAProxy.
chown haproxy /etc/lab/site.pem
