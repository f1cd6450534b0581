"""Lessons: data in folders, tasks on a running cluster, checks from `lab.evidence.outcomes`. See docs/teaching.md."""
