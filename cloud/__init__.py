"""A whole OpenStack on this machine, of real services: ``make cloud`` brings it up, ``make cloud-down`` leaves nothing of it.

This package is the one place that knows how each service is started. It needs nothing but Python's standard library and ``tools``, because
it runs before anything is installed; what needs the services' own packages lies in ``cloud.inside`` and runs in their environment.
"""
