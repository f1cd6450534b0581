"""sites VERB ...: the sites of this node, as /etc/lab/sites.json names them.

A release is one archive in the store, which all web nodes share where the cluster has a shared filesystem. Each node
has it unpacked on a disk of its own, and a link, `current`, to the one that is served: many small files are read from
the shared filesystem by none. What a site writes itself, and its visitors' sessions, lie in the store.

    accounts                    makes the system users and the folders of this node; before PHP-FPM reads who they are
    keep                        takes into use the release that the store names, always; HUP: recreates the folders
    follow                      brings the working copies of the sites' owners and the store together, for ever
    converge                    as `keep`, once
    serve SITE                  takes the release of one site into use
    admit BYTES                 whether the store has room
    store SITE RELEASE FOLDER   puts an archive into the store, from its parts in a folder
    unpack SITE RELEASE         unpacks it on this node, beside those that are here
    switch SITE RELEASE STAMP   has the store name this release; 'previous' for the one before
    revise SITE RELEASE FOLDER STAMP  `store`, `switch` and `converge` at once
    tell SITE                   releases and the one in use, as JSON
    exec SITE COMMAND...        runs a command as the site, in the folder of its code
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from . import keeper, program, release, store, working_copies
from .accounts import accounts
from .errors import TROUBLE, Failed
from .site import one
from .store import alone

if TYPE_CHECKING:
    from collections.abc import Callable


def unpack(name: str, number: str) -> None:
    """Unpacks a release on this node."""
    with alone():
        release.unpack(one(name), number)


def accounts_alone() -> None:
    """Users, groups and folders."""
    with alone():
        accounts()


def converge() -> None:
    """All sites as the store names them."""
    because = keeper.converge()
    if because:
        raise Failed(because)


def serve(name: str) -> None:
    """Takes the release that the store names into use, where the rest of the site is as it has to be."""
    with alone():
        release.converge(one(name), whole=False)


def revise(name: str, number: str, source: str, stamp: str) -> None:
    """Takes a release, and serves it."""
    store.store(name, number, source)
    store.switch(name, number, stamp)
    serve(name)


VERBS: dict[str, Callable[..., None]] = {
    "accounts": accounts_alone,
    "keep": keeper.keep,
    "follow": working_copies.follow,
    "converge": converge,
    "serve": serve,
    "admit": store.admit,
    "store": store.store,
    "unpack": unpack,
    "switch": store.switch,
    "revise": revise,
    "tell": store.tell,
    "exec": lambda name, *argv: program.execute(name, list(argv)),
}

if __name__ == "__main__":
    try:
        VERBS[sys.argv[1]](*sys.argv[2:])
    except TROUBLE as error:
        sys.exit(str(error))
