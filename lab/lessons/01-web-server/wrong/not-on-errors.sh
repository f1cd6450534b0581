# task: who-served
# node: web1
# hint: nameless-error
# from: solved
# Without "always" an error carries no name.
sed -i "s/^Header always set X-Served-By/Header set X-Served-By/" /etc/lab/httpd.conf
supervisorctl -c /etc/lab/supervisord.conf stop httpd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start httpd || true
