"""The only package that names concrete parts: which plug goes where.

A module a process: ``embedded`` is the whole in one, the others are what it is made of when it is several. They are the same parts; what
differs between them is written here and nowhere else.
"""
