# task: key
# node: http-lb1
# hint: readable
# from: solved
# The group of HAProxy's user may read it, and so may whoever breaks into HAProxy.
chgrp haproxy /etc/lab/site.pem
chmod 640 /etc/lab/site.pem
