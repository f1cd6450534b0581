"""The stored CA of a cluster, and its replacement: announced, then activated, then the former one is retired.

During the replacement every node trusts both, so that every certificate can be verified. After an interruption at any
step `up` works with the present files, and `renew --ca` continues.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab import private
from lab.lifecycle.certificates import Authority, authority
from lab.lifecycle.fingerprints import BEGIN, EARLIER_CERTIFICATE, EARLIER_KEY, FORMER, NEXT, OWN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from lab.plan import Plan


def own(where: Path) -> Authority | None:
    """The issuing CA of a cluster's folder of secrets."""
    if (where / OWN).is_file():
        return _read(where / OWN)
    if (where / EARLIER_KEY).is_file():
        ca = Authority(*(private.read(where / name) for name in (EARLIER_CERTIFICATE, EARLIER_KEY)))
        if not ca.whole():
            raise private.damaged(where / EARLIER_KEY)
        return ca
    return None


def ensured(where: Path, plan: Plan, names: Sequence[str], say: Callable[[str], object]) -> Authority:
    """The issuing CA for these names; created if there is none, or if its constraints exclude a name."""
    ca = usable(where, names)
    if ca:
        return ca
    former = own(where)
    if former:
        say(
            f"the CA of '{plan.cluster}' is replaced: the former one is not valid for {plan.network.cidr};"
            " it is trusted until 'lab renew --ca'"
        )
        # Until the nodes have the new one, they and the note in the engine identify their owner by the former one.
        private.write(where / FORMER, former.certificate)
    created = _new_authority(plan)
    _keep(where / OWN, created)
    return created


def usable(where: Path, names: Sequence[str]) -> Authority | None:
    """The stored CA, if it may issue for these names."""
    ca = own(where)
    return ca if ca and ca.allows(names) else None


def trusted(where: Path) -> str:
    """The certificates that the nodes trust, PEM; the issuing CA first."""
    ca = own(where)
    parts = [ca.certificate.strip()] if ca else []
    if (where / NEXT).is_file():
        parts.append(_read(where / NEXT).certificate.strip())
    if (where / FORMER).is_file():
        parts.append(private.read(where / FORMER).strip())
    return "\n".join(dict.fromkeys(parts))


def announce(where: Path, plan: Plan) -> None:
    """Creates the next CA, trusted from the next `up` on; one of an earlier attempt is reused if it is valid."""
    if not (where / NEXT).is_file() or not _read(where / NEXT).allows([str(plan.network.gateway)]):
        _keep(where / NEXT, _new_authority(plan))


def replace(where: Path) -> None:
    """Makes the next CA the issuing one; the former one is still trusted."""
    former = own(where)
    if former:
        private.write(where / FORMER, former.certificate)
    (where / NEXT).replace(where / OWN)
    for name in (EARLIER_KEY, EARLIER_CERTIFICATE):
        (where / name).unlink(missing_ok=True)


def replacing(where: Path) -> bool:
    """Whether a replacement is between activation and retirement."""
    return (where / FORMER).is_file() and not (where / NEXT).is_file()


def retire(where: Path) -> None:
    """Ends trust in the former CA, from the next `up` on."""
    (where / FORMER).unlink(missing_ok=True)


def _new_authority(plan: Plan) -> Authority:
    from ipaddress import IPv4Network

    from lab.export.compose import NETWORK
    from lab.lifecycle.resolve import RANGE

    # A cluster with an automatic subnet may get another one of the same range, or run under Docker Compose.
    subnet = plan.network.cidr
    networks = list(dict.fromkeys([RANGE if subnet.subnet_of(RANGE) else subnet, NETWORK, IPv4Network("127.0.0.1/32")]))
    return authority(plan.cluster, [f"{plan.cluster}.test", "localhost"], networks)


def _keep(path: Path, ca: Authority) -> None:
    private.write(path, ca.key + ca.certificate)


def _read(path: Path) -> Authority:
    key, begin, certificate = private.read(path).partition(BEGIN)
    ca = Authority(begin + certificate, key)
    if not ca.whole():
        raise private.damaged(path)
    return ca
