# task: first-page
# node: web1
# hint: not-restarted
# from: solved
# The file is right, and httpd runs with the one of before.
cp -p /etc/lab/httpd.conf /etc/lab/httpd.conf.new
sed -i 's#DocumentRoot .*#DocumentRoot /srv/guestbook/public/pages#' /etc/lab/httpd.conf
supervisorctl -c /etc/lab/supervisord.conf stop httpd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start httpd
mv /etc/lab/httpd.conf.new /etc/lab/httpd.conf
