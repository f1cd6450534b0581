"""What docs/figures.md says around its tables. No figure of a run stands here: those come from what it kept."""

from __future__ import annotations

HEAD = """\
# Figures

Taken by `make bench` on {began}, on a shared virtual machine with {cores} cores and {memory_gib} GiB, {system};
written by `python -m bench.page`. Least, median and most of so many runs. Such a machine is noisy: take your own.
Every figure that is held against another (Compose, the floor, a formula) was taken in the same run as that one."""

REMARKS = {
    "cold": """\
Not the engine's own installation. The images get a namespace of their own, so that nothing comes from the engine's
cache.""",
    "lifecycle": """\
The default cluster, 18 nodes, its images built. Compose waits until each container's own check is content (asked
every second); `lab up` also until all pools are full and the site answers on the VIP. What `up` takes above the floor
is mostly the nodes' boot: as many supervisors and their daemons on two cores.""",
    "traffic": """\
wrk in the client, 32 connections, 5 s. All of it, the load too, shares two cores; the page is PHP's.""",
    "failover": """\
Seen from inside the node that decides, about 20 ms apart. A killed container refuses no connection: its address is
gone, and each check runs into its timeout.""",
    "evidence": """\
The outage is made by the node itself, which says for how long. wrk keeps one connection busy without a pause; a
generator that asks at set times finds caches and processors cold, and Python adds its own.""",
    "scale": """\
From the count before to each; the first from three.""",
    "storage": """\
Three storage nodes, a web node's mount beside that node's own disk. Each small file (4 KiB) is on the disk before the
next is begun; the large one is written and synced, and read past the kernel's cache. Every byte is written three
times on one machine's disk, and goes through FUSE.""",
    "mysql": """\
Sysbench's mix of reads and writes (`oltp_read_write`, 8 threads, 10,000 rows) through the VIP, 10 s; outages with 20
writes a second, each on a connection of its own: the longest time between two acknowledged writes.

Replication is slow because of one setting that it can't do without: `sync-relay-log = 1` syncs after every *event* of
a transaction, about ten for one of sysbench's, before it is acknowledged. Without that, what was acknowledged would
be on one disk and in one memory. Galera acknowledges before the other disks have it (025).""",
    "shell": """\
Each login with a key exchange of its own and a command that does nothing.""",
    "mail": """\
Sent as another host would, by Postfix's own source of messages, to the VIP; arrivals one after another, each on a
connection of its own, asked for by IMAP.""",
    "backup": """\
The site's p99 while a backup runs is that of all answers until it has ended.""",
    "class": """\
Each learner's cluster of the first lesson, no port published, all tasks solved; memory is what the machine has less
than before, 20 s after the last change. Each step has twice as many clusters as the one before.""",
    "xen": """\
A real Xen in QEMU, in plain emulation where KVM does not carry it. Two thirds of what a domain costs is the
translation of its code by QEMU, which each domain has to itself.""",
    "xen-failover": """\
Beside the formulas of the gentler checks of the topology `five`.""",
}

AFTERWARDS = """\
## Seen by hand

- On a machine that had neither Docker nor mmdebstrap, `make up` took 95 s with 8 nodes, and 165 s with all 18.
  Later, with larger images, where both were installed and nothing was in pip's cache, all 18 nodes: 179 s, and 143 s
  once `make up` installed only what the command needs, the base was prepared in one layer, and dpkg did not wait for
  the disk.
- `long-random --seed 7`, ten minutes, 100 requests and 10 posts a second, 76 faults, on Docker: all 5780 acknowledged
  posts there once; one holder of the VIP at the end.
- `lab xen host up` with its disk and the domains' kernel made too, the base image there: 29 s. A role's image as a
  disk, two at a time: 7 to 10 s each."""
