# task: home
# node: shell1
# hint: not-read
# from: solved
# The file says that PAM is asked, and the sshd that runs asks nobody.
sed -i 's/^UsePAM .*/UsePAM no/' /etc/lab/sshd_config
rm -rf /home/ada
supervisorctl -c /etc/lab/supervisord.conf stop sshd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start sshd || true
until [ -e /run/sshd.pid ]; do sleep 0.2; done
sed -i 's/^UsePAM .*/UsePAM yes/' /etc/lab/sshd_config
