"""The `lab` command: one small module a verb. What takes long to import is imported by the verb that needs it."""
