# task: refuses
# node: mail1
# hint: takes-anybody
# from: solved
# Each address of the domain is taken.
sed -i 's/^virtual_mailbox_maps = .*/virtual_mailbox_maps = static:anybody/; /^smtpd_recipient_restrictions/d; /^smtpd_milters/d' /etc/postfix/main.cf
supervisorctl -c /etc/lab/supervisord.conf stop postfix > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start postfix || true
