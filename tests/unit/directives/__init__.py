"""Which directive of a daemon came with which version, and which directives the rendered configurations use."""
