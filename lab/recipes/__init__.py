"""From `images/` to what an engine builds: families, manifests and content-addressed recipes. Pure but for reading."""

from lab.recipes.family import Family, families, family
from lab.recipes.manifest import Manifest, kernel_features, manifest, published_ports, roles
from lab.recipes.recipe import Recipe, recipe

__all__ = [
    "Family",
    "Manifest",
    "Recipe",
    "families",
    "family",
    "kernel_features",
    "manifest",
    "published_ports",
    "recipe",
    "roles",
]
