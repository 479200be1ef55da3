"""What ``./quickstart`` and ``./run-tests`` are made of. Nothing but the standard library: it runs before anything is installed."""
