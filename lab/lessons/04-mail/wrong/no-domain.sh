# task: delivered
# node: mail1
# hint: refused
# from: solved
# The domain is none of this server's: a message for it is a stranger's for elsewhere.
sed -i '/^virtual_mailbox_domains/d' /etc/postfix/main.cf
supervisorctl -c /etc/lab/supervisord.conf stop postfix > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start postfix || true
