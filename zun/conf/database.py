"""The database. The names are oslo.db's, as far as they have an effect here."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "database"
OPTS = [
    cfg.StrOpt(
        "connection",
        default="sqlite:///$state_path/zun.sqlite",
        secret=True,
        help="The database as an SQLAlchemy URL: SQLite, MySQL or MariaDB (mysql+pymysql://...) or PostgreSQL (postgresql+psycopg://...).",
    ),
    cfg.IntOpt(
        "max_pool_size",
        default=5,
        min=1,
        help="How many connections are kept open, of those for transactions and, to a database server, of those for single questions each.",
    ),
    cfg.IntOpt("max_overflow", default=50, min=0, help="How many more are opened for a while when all are in use."),
    cfg.IntOpt("pool_timeout", default=30, min=1, help="Seconds to wait for a connection when all are in use; then the answer is 503."),
    cfg.IntOpt("connection_recycle_time", default=3600, min=1, help="Seconds after which an idle connection is replaced."),
]
