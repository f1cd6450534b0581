"""From `images/` to what an engine builds: families, manifests and content-addressed recipes. Pure but for reading."""

from lab.recipes.family import Family, families, family
from lab.recipes.manifest import Manifest, manifest, roles
from lab.recipes.recipe import Recipe, recipe

__all__ = ["Family", "Manifest", "Recipe", "families", "family", "manifest", "recipe", "roles"]
