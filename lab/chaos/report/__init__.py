"""One page about a run, for a browser: no network, no script, nothing beside it."""
