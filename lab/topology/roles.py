"""The options of each role. A new role adds one class here and one field to `Cluster`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from lab import identifiers
from lab.models import Model
from lab.topology.units import Duration

Count = Annotated[int, Field(ge=1, strict=True)]
Kept = Annotated[int, Field(ge=0, le=1000, strict=True)]
VolumeName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
LocalPart = Annotated[str, Field(pattern=identifiers.MAILBOX, max_length=identifiers.MAILBOX_LENGTH)]
RelayHost = Annotated[str, Field(pattern=r"^(\[[A-Za-z0-9.-]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?$")]
HostName = Annotated[str, Field(max_length=253, pattern=r"^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$")]
Seconds = Annotated[float, Field(gt=0, le=3600, description="seconds")]


class HealthCheck(Model):
    """How a balancer watches a server; `web-node-leaves` and `web-node-returns` promise when one is out and back."""

    inter: Seconds = Field(0.5, description="seconds between two checks")
    fastinter: Seconds = Field(0.1, description="the same while a server is changing or out")
    timeout: Seconds = Field(0.5, description="seconds for a connection, and for the answer to a check")
    fall: Count = Field(3, le=100, description="failed checks in a row until the server is out")
    rise: Count = Field(2, le=100, description="good checks in a row until it is back")


class RoleOptions(Model):
    """What every role has."""

    count: Count = Field(1, description="how many nodes of this role")
    memory: Annotated[int, Field(ge=64, strict=True)] | None = Field(
        None, description="MiB that a node may take; unset: as its role.yaml says (a domain has 'xen.memory')"
    )
    processes: Annotated[int, Field(ge=50, le=100_000, strict=True)] | None = Field(
        None, description="processes and threads of a node, at most; unset: as its role.yaml says"
    )
    processors: Annotated[float, Field(ge=0.1, le=1024)] | None = Field(
        None, description="processors that a node may keep busy; unset: as its role.yaml says (a domain has one)"
    )


class Web(RoleOptions):
    """Apache httpd and PHP-FPM with the guest book."""

    count: Count = Field(3, description="how many web nodes")
    sticky: bool = Field(default=False, description="keep a visitor on one node, by a cookie")
    volume: VolumeName = Field("www", description="the shared volume for uploads, where the cluster has storage")
    notify: LocalPart | None = Field(None, description="the mailbox that is told of each post, such as ann")
    upload: Count = Field(8, le=2000, description="MiB of a picture, at most")
    php_children: Count = Field(16, ge=4, le=500, description="PHP processes a node, at most")


class HttpLb(RoleOptions):
    """The HTTP/HTTPS load balancer."""

    count: Count = Field(2, description="how many HTTP balancers")
    check: HealthCheck = Field(default_factory=HealthCheck, description="how web nodes are watched")
    answer_timeout: Seconds = Field(5, description="seconds a web node has for an answer; then another is asked")
    names: list[HostName] = Field([], description="other host names by which the site may be asked for")
    slow_start: Seconds = Field(5, description="seconds over which a returning node gets its full share")
    web_connections: Count = Field(100, le=10000, description="requests at once to a web node; more are queued")


class TcpLb(RoleOptions):
    """The TCP/IP load balancer in front of everything, holder of the VIP."""

    count: Count = Field(2, description="how many TCP balancers")
    engine: Literal["haproxy", "ipvs"] = Field("haproxy", description="ipvs needs ip_vs in the nodes' kernel")
    check: HealthCheck = Field(
        default_factory=lambda: HealthCheck(fall=2), description="how the balancers behind are watched"
    )
    advert_int: float = Field(0.2, ge=0.05, le=40, description="seconds between two VRRP adverts")
    router_id: Count = Field(51, le=255, description="VRRP's virtual_router_id")


class Storage(RoleOptions):
    """The shared filesystem: every volume has a copy on every storage node."""

    count: Annotated[int, Field(ge=1, le=9, strict=True)] = Field(
        3, description="how many nodes, and so how many copies"
    )
    engine: Literal["glusterfs"] = Field("glusterfs", description="what keeps the copies alike")
    volumes: list[VolumeName] = Field(["www", "home", "mail"], min_length=1, description="one for each purpose")
    ping_timeout: Annotated[int, Field(ge=1, le=120, strict=True)] = Field(
        5, description="seconds, at most twice as many, until a node that hangs is left out; GlusterFS delivers 42"
    )

    @field_validator("count")
    @classmethod
    def _odd(cls, count: int) -> int:
        if count % 2 == 0:
            raise ValueError(
                f"{count} copies have no majority when they are cut in halves; use {count + 1} or {count - 1}"
            )
        return count


class Mysql(RoleOptions):
    """MariaDB: one node that takes writes, others that have all of them and take its place."""

    count: Annotated[int, Field(ge=1, le=3, strict=True)] = Field(3, description="how many nodes; three stand a loss")
    topology: Literal["replication", "galera"] = Field("replication", description="how the nodes agree")
    patience: Annotated[float, Field(ge=0.5, le=600)] = Field(
        2, description="seconds without a word of the primary until another is chosen"
    )
    lag: Seconds = Field(5, description="seconds that a replica may be behind and still be read from")


class UserLimits(Model):
    """What one user may have on a shell node."""

    processes: Count = Field(100, ge=10, le=10000, description="processes and threads at once")
    memory: Count = Field(512, ge=32, description="MiB of all processes together")
    files: Count = Field(1024, ge=64, le=1_000_000, description="open files of one process")
    logins: Count = Field(10, le=1000, description="sessions at once")


class Shell(RoleOptions):
    """OpenSSH, with homes on the shared filesystem."""

    volume: VolumeName = Field("home", description="the shared volume that the homes are on")
    limits: UserLimits = Field(default_factory=UserLimits, description="what one user may have")
    tries: Count = Field(10, description="failed logins within a minute that ban an address, but the client node's")
    ban: Count = Field(600, description="seconds that it stays banned")


class Mail(RoleOptions):
    """Postfix and Dovecot; accounts in the database, mailboxes on the shared filesystem."""

    count: Count = Field(2, description="how many mail nodes")
    volume: VolumeName = Field("mail", description="the shared volume that the mailboxes are on")
    message_size: Count = Field(20, le=1000, description="MiB of one message, at most")
    quota: Count = Field(500, description="MiB of one mailbox, unless its account says another")
    rate: Count = Field(600, description="messages a minute from one address, at most")
    relayhost: RelayHost | None = Field(
        None,
        description="where mail for the rest of the world goes, such as [smtp.example.org]:587",
    )


class Keep(Model):
    """Which backups stay: the newest ones, and the newest of each of so many days, weeks and months."""

    last: Count = Field(24, description="the newest ones")
    daily: Kept = Field(7, description="one of each of so many days")
    weekly: Kept = Field(4, description="one of each of so many weeks")
    monthly: Kept = Field(0, description="one of each of so many months")


class Backup(RoleOptions):
    """restic: all databases and all shared volumes, in an encrypted repository."""

    count: Literal[1] = Field(1, description="one repository")
    every: Annotated[Duration, Field(ge=10, le=7 * 86400)] = Field(3600, description="how often, such as 30m, 1h or 1d")
    keep: Keep = Field(default_factory=Keep, description="which backups stay")


class Client(RoleOptions):
    """The author's laptop: load, probes, and the gateway behind the published ports."""

    count: Literal[1] = Field(1, description="one laptop")
