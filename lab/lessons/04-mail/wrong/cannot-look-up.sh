# task: refuses
# node: mail1
# hint: not-now
# from: solved
# A table that is not there: Postfix can't know who has a mailbox.
sed -i 's#^virtual_mailbox_maps = .*#virtual_mailbox_maps = proxy:mysql:/run/lab/postfix/mailboxes.cf#' /etc/postfix/main.cf
supervisorctl -c /etc/lab/supervisord.conf stop postfix > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start postfix || true
