# task: read
# node: mail1
# hint: certificate
# from: solved
# A certificate that it signed itself.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=mail1 \
    -addext subjectAltName=DNS:mail1,IP:{{ address['mail1'] }} -keyout /run/own.key -out /run/own.crt 2> /dev/null
cat /run/own.key /run/own.crt > /run/own.pem
sed -i 's#^ssl_\(cert\|key\) = .*#ssl_\1 = </run/own.pem#' /etc/lab/dovecot.conf
supervisorctl -c /etc/lab/supervisord.conf stop dovecot > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start dovecot || true
