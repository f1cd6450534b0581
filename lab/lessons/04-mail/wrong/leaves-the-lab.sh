# task: refuses
# node: mail1
# hint: leaves-the-lab
# from: solved
# Strangers are refused, and what the node itself sends leaves the lab.
sed -i '/^default_transport/d' /etc/postfix/main.cf
supervisorctl -c /etc/lab/supervisord.conf stop postfix > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start postfix || true
