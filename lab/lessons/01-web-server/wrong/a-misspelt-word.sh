# task: first-page
# node: web1
# hint: not-running
# A word that httpd does not know: it reads no further and ends.
echo "Lisen 80" > /etc/lab/httpd.conf
supervisorctl -c /etc/lab/supervisord.conf stop httpd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start httpd || true
until supervisorctl -c /etc/lab/supervisord.conf status httpd | grep -q FATAL; do sleep 0.2; done
