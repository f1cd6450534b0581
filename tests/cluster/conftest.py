"""The behaviour suite: written against the backend protocol and the `cluster` fixture, never against Docker."""
