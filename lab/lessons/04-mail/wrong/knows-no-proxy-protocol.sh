# task: greets
# node: mail1
# hint: no-proxy
# from: solved
# Postfix takes HAProxy's first line for a command.
sed -i '/^smtpd_upstream_proxy_protocol/d; /^smtpd_forbid_unauth_pipelining/d' /etc/postfix/main.cf
supervisorctl -c /etc/lab/supervisord.conf stop postfix > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start postfix || true
