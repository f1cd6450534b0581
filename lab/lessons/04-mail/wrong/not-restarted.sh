# task: greets
# node: mail1
# hint: not-restarted
# from: solved
# The file is right, and Postfix runs with the one of before.
cp -p /etc/postfix/main.cf /etc/postfix/main.cf.new
sed -i '/^smtpd_banner/d' /etc/postfix/main.cf
supervisorctl -c /etc/lab/supervisord.conf stop postfix > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start postfix
until pgrep -x qmgr > /dev/null; do sleep 0.2; done
mv /etc/postfix/main.cf.new /etc/postfix/main.cf
