# task: delivered
# node: mail1
# hint: not-delivered
# from: solved
# The socket has another name than the one that Dovecot makes.
sed -i 's#^virtual_transport = .*#virtual_transport = lmtp:unix:private/lmtp#' /etc/postfix/main.cf
supervisorctl -c /etc/lab/supervisord.conf stop postfix > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start postfix || true
