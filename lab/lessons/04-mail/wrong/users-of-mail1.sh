# task: refuses
# node: mail1
# hint: takes-local
# from: solved
# `mydestination` is not set: the name of the node is a domain of the users of the system.
sed -i '/^mydestination/d; /^alias_maps/d; /^alias_database/d; /^local_recipient_maps/d; /^local_transport/d; /^smtpd_recipient_restrictions/d; /^smtpd_milters/d' /etc/postfix/main.cf
supervisorctl -c /etc/lab/supervisord.conf stop postfix > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start postfix || true
