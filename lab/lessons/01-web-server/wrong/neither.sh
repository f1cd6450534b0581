# task: guest-book
# node: web1
# hint: no-index
# from: solved
# Nothing is said of a folder, nor of a path that is no file.
sed -i '/^ *DirectoryIndex index.php$/d; /^ *FallbackResource \/index.php$/d' /etc/lab/httpd.conf
supervisorctl -c /etc/lab/supervisord.conf stop httpd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start httpd || true
