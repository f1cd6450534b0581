"""Images: built from recipes on an engine, tried, kept and pruned; for every backend whose nodes are made of them."""
