"""The options of oslo.middleware, for who has a web service: the library brings a megabyte each of templates and of green threads along."""

from __future__ import annotations

from oslo_config import cfg
from oslo_middleware import cors, http_proxy_to_wsgi
from oslo_middleware.healthcheck import opts as healthcheck


def register(conf: cfg.ConfigOpts) -> None:
    """Have these options in a configuration, which may have been called already. Twice is as good as once."""
    conf.register_opts(cors.OPTS, "cors")
    conf.register_opts(http_proxy_to_wsgi.OPTS, "oslo_middleware")
    conf.register_opts(healthcheck.HEALTHCHECK_OPTS + healthcheck.DISABLE_BY_FILE_OPTS, "healthcheck")
    conf.set_default("backends", ["disable_by_file"], group="healthcheck")
    conf.set_default("disable_by_file_path", "$state_path/out-of-service", group="healthcheck")
