"""What a person writes: `cluster.yaml` as typed models, with errors that say what to write instead."""

from lab.topology.cluster import Cluster, NodeOverride
from lab.topology.loading import DEFAULT_FILE, ROLES, find, load, name_in, parse, placement, reloaded, schema
from lab.topology.placement import Placement
from lab.topology.ports import AUTO, OFF, Ports
from lab.topology.roles import Backup, Client, HealthCheck, HttpLb, Mail, Mysql, RoleOptions, Shell, Storage, TcpLb, Web

__all__ = [
    "AUTO",
    "DEFAULT_FILE",
    "OFF",
    "ROLES",
    "Backup",
    "Client",
    "Cluster",
    "HealthCheck",
    "HttpLb",
    "Mail",
    "Mysql",
    "NodeOverride",
    "Placement",
    "Ports",
    "RoleOptions",
    "Shell",
    "Storage",
    "TcpLb",
    "Web",
    "find",
    "load",
    "name_in",
    "parse",
    "placement",
    "reloaded",
    "schema",
]
