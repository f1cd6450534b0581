# task: who-served
# node: web1
# hint: version
# from: solved
# Each answer tells the version.
sed -i 's/^ServerTokens .*/ServerTokens Full/' /etc/lab/httpd.conf
supervisorctl -c /etc/lab/supervisord.conf stop httpd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start httpd || true
