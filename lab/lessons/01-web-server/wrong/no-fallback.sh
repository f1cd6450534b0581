# task: guest-book
# node: web1
# hint: status
# from: solved
# No fallback: a path that is no file ends in 404.
sed -i "/FallbackResource/d" /etc/lab/httpd.conf
supervisorctl -c /etc/lab/supervisord.conf stop httpd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start httpd || true
