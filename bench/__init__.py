"""`make bench`: speed as figures, each beside what it is held against; medians, several runs, ratios within one run."""
