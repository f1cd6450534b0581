# task: who-served
# node: web1
# hint: status
# from: solved
# Only .htaccess and .htpasswd are refused.
sed -i "s/^<LocationMatch .*/<LocationMatch \"^\/\\.ht\">/" /etc/lab/httpd.conf
supervisorctl -c /etc/lab/supervisord.conf stop httpd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start httpd || true
