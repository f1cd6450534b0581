"""The Xen backend: the images of the lab as paravirtualized domains."""

from lab.backends.xen.backend import XenBackend

__all__ = ["XenBackend"]
