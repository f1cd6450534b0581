"""The Xen backend: the images of the lab as paravirtualized domains."""
