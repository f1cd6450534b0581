# task: home
# node: shell1
# hint: session
# from: solved
# PAM reads a file that is not there, and ends the session.
rm /etc/lab/limits.conf
