# task: home
# node: shell1
# hint: no-home
# from: solved
# Without PAM nobody makes a home.
sed -i 's/^UsePAM .*/UsePAM no/' /etc/lab/sshd_config
rm -rf /home/ada
supervisorctl -c /etc/lab/supervisord.conf stop sshd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start sshd || true
