"""The live page: what happens in a cluster, in a browser, and buttons that break it. See docs/page.md."""
