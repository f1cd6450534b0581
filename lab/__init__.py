"""The www cluster lab: a whole dumb web cluster, real, on one machine."""

__version__ = "0.2.0"
