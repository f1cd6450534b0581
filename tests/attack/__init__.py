"""A standing attack: what each kind of stranger finds at every entrance, on a cluster that runs."""
