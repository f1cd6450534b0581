# task: first-page
# node: web1
# hint: forbidden
# from: solved
# Nobody was granted the folder of the pages.
sed -i '/^ *<Directory \/srv\/guestbook\/public>/,/<\/Directory>/s/^ *Require all granted//' /etc/lab/httpd.conf
supervisorctl -c /etc/lab/supervisord.conf stop httpd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start httpd || true
