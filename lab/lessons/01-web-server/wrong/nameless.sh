# task: who-served
# node: web1
# hint: nameless
# from: solved
# No answer names its node.
sed -i '/X-Served-By/d' /etc/lab/httpd.conf
supervisorctl -c /etc/lab/supervisord.conf stop httpd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start httpd || true
