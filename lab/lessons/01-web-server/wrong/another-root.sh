# task: first-page
# node: web1
# hint: not-found
# from: solved
# Another folder than that of the pages.
sed -i '/FallbackResource/d; s#DocumentRoot .*#DocumentRoot /srv/guestbook/public/pages#' /etc/lab/httpd.conf
supervisorctl -c /etc/lab/supervisord.conf stop httpd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start httpd || true
