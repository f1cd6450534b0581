# task: limits
# node: shell1
# hint: one-person
# from: solved
# Limits for ada, and none for the next of her group.
sed -i 's/^@people - /ada - /' /etc/lab/limits.conf
