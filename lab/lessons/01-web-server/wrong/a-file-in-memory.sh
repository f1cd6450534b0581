# task: returns
# node: web1
# hint: never-returns
# from: solved
# The file lies in memory, behind a link.
mv /etc/lab/httpd.conf /run/httpd.conf
ln -s /run/httpd.conf /etc/lab/httpd.conf
supervisorctl -c /etc/lab/supervisord.conf stop httpd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start httpd || true
