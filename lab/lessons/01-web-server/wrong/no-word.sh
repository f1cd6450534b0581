# task: who-served
# node: web1
# hint: no-word
# from: solved
# The file of another learner, with another word.
sed -i 's/^Header always set X-Lesson .*/Header always set X-Lesson another/' /etc/lab/httpd.conf
supervisorctl -c /etc/lab/supervisord.conf stop httpd > /dev/null || true
supervisorctl -c /etc/lab/supervisord.conf start httpd || true
