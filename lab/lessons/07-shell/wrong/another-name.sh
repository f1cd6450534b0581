# task: key
# node: shell1
# hint: no-login
# from: solved
# The key of a person whom nobody knows.
sed -i 's/^ada /eve /' /etc/lab/keys
