# task: key
# node: http-lb1
# hint: readable
# from: solved
# Others still may read it.
chmod 604 /etc/lab/site.pem
