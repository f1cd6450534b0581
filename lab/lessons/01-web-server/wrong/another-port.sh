# task: first-page
# node: web1
# hint: refused
# from: solved
# Another port than the one that is asked.
sed -i "s/^Listen 80$/Listen 8080/; s/\*:80>/*:8080>/" /etc/lab/httpd.conf
supervisorctl -c /etc/lab/supervisord.conf stop httpd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start httpd || true
