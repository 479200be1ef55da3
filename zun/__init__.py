"""Containers as a first-class resource of an OpenStack cloud."""
