"""``make bench-cloud``: this service and its peer on the test cloud, side by side, on one machine in the same minute.

The peer is the program of the same name on PyPI. It is installed, configured and run as its public guide says, and not read.
"""
