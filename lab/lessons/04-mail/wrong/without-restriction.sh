# task: refuses
# node: mail1
# hint: no-restriction
# from: solved
# What Postfix does by itself: it puts off what it does not relay.
sed -i '/^smtpd_relay_restrictions/d; /^default_transport/d; /^relay_transport/d; /^smtpd_recipient_restrictions/d' /etc/postfix/main.cf
supervisorctl -c /etc/lab/supervisord.conf stop postfix > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start postfix || true
