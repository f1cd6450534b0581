# task: greets
# node: mail1
# hint: not-running
# from: solved
# Stopped for a change, and not started again.
supervisorctl -c /etc/lab/supervisord.conf stop postfix
