# task: second
# node: tcp-lb2
# hint: fault
# from: solved
# The addresses of tcp-lb1, copied and not exchanged: it can't send from an address that is not its own.
sed -i "s/unicast_src_ip .*/unicast_src_ip {{ address['tcp-lb1'] }}/" /etc/lab/keepalived.conf
supervisorctl -c /etc/lab/supervisord.conf stop keepalived > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start keepalived || true
