# task: greets
# node: mail1
# hint: other-greeting
# from: solved
# The greeting is the one that Postfix has by itself.
sed -i '/^smtpd_banner/d' /etc/postfix/main.cf
supervisorctl -c /etc/lab/supervisord.conf stop postfix > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start postfix || true
