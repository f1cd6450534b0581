"""Names of images and labels."""

from __future__ import annotations

import os

NAMESPACE = os.environ.get("LAB_NAMESPACE", "www-cluster-lab")
"""What all images of the lab are called first; another one keeps a set of images of its own."""

LABEL = "www-cluster-lab"
"""What all labels of the lab begin with."""
