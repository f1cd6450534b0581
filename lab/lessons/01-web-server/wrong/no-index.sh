# task: guest-book
# node: web1
# hint: no-index
# from: solved
# By itself httpd looks for index.html in a folder.
sed -i '/^ *DirectoryIndex index.php$/d' /etc/lab/httpd.conf
supervisorctl -c /etc/lab/supervisord.conf stop httpd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start httpd || true
