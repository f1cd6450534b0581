"""Pure: from a `Cluster` to a `Plan` - nodes, addresses, files, checks. Reads templates, touches nothing else."""

from lab.plan.model import MANIFEST, TMPFS, Endpoint, File, Gateway, Host, Network, NodePlan, Plan, Pool, Publish
from lab.plan.planner import image_recipe, plan

__all__ = [
    "MANIFEST",
    "TMPFS",
    "Endpoint",
    "File",
    "Gateway",
    "Host",
    "Network",
    "NodePlan",
    "Plan",
    "Pool",
    "Publish",
    "image_recipe",
    "plan",
]
