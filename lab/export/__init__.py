"""A plan in the words of others: a document for Docker Compose, a picture."""
