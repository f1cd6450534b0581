# task: tls
# node: http-lb1
# hint: certificate
# from: solved
# A certificate of nobody's CA.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN={{ site }} \
    -addext subjectAltName=DNS:{{ site }} -keyout /run/key.pem -out /run/certificate.pem 2> /dev/null
cat /run/key.pem /run/certificate.pem > /run/site.pem
rm /run/key.pem /run/certificate.pem
sed -i 's#crt /etc/lab/site.pem#crt /run/site.pem#' /etc/lab/haproxy.cfg
supervisorctl -c /etc/lab/supervisord.conf stop haproxy > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start haproxy || true
