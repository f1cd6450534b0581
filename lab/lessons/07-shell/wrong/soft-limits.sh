# task: limits
# node: shell1
# hint: limits
# from: solved
# Soft limits: ada raises them.
sed -i 's/^@people - /@people soft /' /etc/lab/limits.conf
