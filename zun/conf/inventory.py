"""Who keeps the account of what hosts have, and what is taken of them."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "inventory"
OPTS = [
    cfg.StrOpt(
        "driver",
        default="local",
        choices=[
            ("local", "the database of this service alone"),
            ("placement", "Placement, too: the section [placement] says how it is reached"),
        ],
        help="Who says what room hosts have. API processes and conductors must have the same.",
    ),
]
