# task: read
# node: mail1
# hint: no-mailbox
# from: solved
# A user who may not open the mailboxes.
sed -i 's/^mail_uid = .*/mail_uid = 5001/; s/^mail_gid = .*/mail_gid = 5001/' /etc/lab/dovecot.conf
supervisorctl -c /etc/lab/supervisord.conf stop dovecot > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start dovecot || true
