"""This machine: its kernel, its packages, and what of it is missing."""
