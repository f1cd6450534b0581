# task: who-served
# node: web1
# hint: dot-folder
# from: solved
# A file whose name begins with a dot is refused, and one in such a folder is not.
sed -i 's#^<LocationMatch .*#<FilesMatch "^\\.">#; s#^</LocationMatch>#</FilesMatch>#' /etc/lab/httpd.conf
supervisorctl -c /etc/lab/supervisord.conf stop httpd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start httpd || true
