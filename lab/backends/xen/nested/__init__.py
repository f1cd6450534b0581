"""A real Xen host inside QEMU, for machines that have none: booted, watched and ended here."""
