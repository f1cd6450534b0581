# task: refuses
# node: mail1
# hint: open-relay
# from: solved
# Everybody's network is the own one.
sed -i 's/^mynetworks = .*/mynetworks = 0.0.0.0\/0/; s/^smtpd_relay_restrictions = .*/smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination/' /etc/postfix/main.cf
sed -i '/^default_transport/d; /^relay_transport/d; /^smtpd_recipient_restrictions/d; /^smtpd_milters/d' /etc/postfix/main.cf
supervisorctl -c /etc/lab/supervisord.conf stop postfix > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start postfix || true
