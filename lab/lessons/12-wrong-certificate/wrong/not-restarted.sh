# task: trusted
# node: http-lb1
# hint: not-restarted
# from: solved
# A comment alone: HAProxy has not read it.
echo '# The certificate is the site'"'"'s own.' >> /etc/lab/haproxy.cfg
