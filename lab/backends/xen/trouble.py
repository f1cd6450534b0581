"""What ssh, xl and the host's tools say when they fail, as the lab's own errors with the next step."""

from __future__ import annotations

import re

from lab.errors import BackendError, HostError, LabError

UNREACHABLE = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|host key .* has changed",
        "the host key of {where} has changed: the host was reinstalled, or the connection is intercepted",
        "ask its administrator; if the change is right, run 'ssh-keygen -R HOST', then 'ssh' to it once",
    ),
    (
        r"Host key verification failed|host key is known",
        "the host key of {where} is not known here",
        "connect once by hand ('ssh' to it), compare the fingerprint, and answer yes",
    ),
    (
        r"Permission denied|Too many authentication failures",
        "{where} refuses this key or user",
        "put your public key into its root's authorized_keys ('ssh-copy-id'), or choose the key in ~/.ssh/config",
    ),
    (
        r"Could not resolve",
        "the name of {where} is not known",
        "check the spelling of --host (xen.host)",
    ),
)
REFUSED = (
    (
        r"xl: (command )?not found|xl: No such file",
        "{where} is not a Xen host: it has no 'xl'",
        "install Xen there (Debian: apt-get install xen-system-amd64) and boot it; docs/xen.md has the way",
    ),
    (
        r"privileged command interface.*(Permission denied)|EACCES|must be root|not permitted",
        "this user may not use Xen on {where}",
        "connect as root: --host ssh://root@HOST",
    ),
    (
        r"privileged command interface|/proc/xen|xenstore.*(No such file|refused)|xenstored",
        "{where} has 'xl' and did not boot under Xen, or its xenstored is not running",
        "boot the entry 'Xen hypervisor' there; 'xl info' must answer",
    ),
    (
        r"not enough (free )?memory|Cannot allocate memory|failed to free memory|out of memory",
        "{where} has not enough memory for this domain",
        "'xl info' shows what is free; take a smaller topology, or lower 'xen.memory'",
    ),
    (
        r"No space left on device",
        "the disk of {where} is full",
        "free some there, or choose another folder: --host ssh://root@HOST/FOLDER",
    ),
    (
        r"lab: no bridge (?P<bridge>\S+)",
        "{where} has no bridge '{bridge}'",
        "make it, or leave 'xen.bridge' out: then the cluster gets one of its own",
    ),
    (
        r"lab: (?P<what>\S+ is not the lab's)",
        "on {where}, {what}",
        "choose another name with --name",
    ),
)


def unreachable(where: str, output: str) -> HostError:
    """There is no way into a host."""
    for pattern, what, next_step in UNREACHABLE:
        if re.search(pattern, output, re.IGNORECASE):
            return HostError(what.format(where=where), where=where, next_step=next_step)
    last = output.splitlines()[-1] if output else "it says nothing"
    return HostError(
        f"{where} can't be reached: {last}", where=where, next_step="is it up, and is its sshd reachable from here?"
    )


def refused(where: str, command: str, output: str) -> LabError:
    """A command on the host failed: what is known to go wrong is a `HostError`, the rest as it was said."""
    for pattern, what, next_step in REFUSED:
        match = re.search(pattern, output, re.IGNORECASE)
        if match:
            return HostError(what.format(where=where, **match.groupdict()), where=where, next_step=next_step)
    return BackendError(f"{command}: {where} says: {output[-600:] or 'nothing'}", where=where)
