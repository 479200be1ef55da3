"""What the service costs, against its peers in the same run: ``python -m bench``."""
