# task: who-served
# node: web1
# hint: nameless-program
# from: solved
# Files name their node, and programs do not.
sed -i 's#^Header always set X-Served-By.*#<FilesMatch "\\.css$">\n&\n</FilesMatch>#' /etc/lab/httpd.conf
supervisorctl -c /etc/lab/supervisord.conf stop httpd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start httpd || true
