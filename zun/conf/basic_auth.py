"""HTTP basic authentication, for the embedded service: a file of passwords and what each user may be."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "basic_auth"
OPTS = [
    cfg.StrOpt(
        "user_file",
        default="$state_path/htpasswd",
        help="The file of user names and bcrypt hashes, as 'htpasswd -B' writes it. It is read again when it changes.",
    ),
    cfg.MultiStrOpt(
        "users",
        default=[],
        sample_default=["admin:9a1b2c3d4e5f60718293a4b5c6d7e8f9:admin,member"],
        help="What a user of the file is: name, id of the project and roles, as '<user>:<project id>:<role>[,<role>...]'. May be "
        "given several times. A user of the file who is not listed here belongs to no project and is refused.",
    ),
    cfg.IntOpt(
        "remember",
        default=300,
        min=0,
        max=3600,
        help="For how many seconds a verified password is remembered, as a salted hash in memory; 0 verifies it at each request, which "
        "costs about a quarter of a second of CPU with the usual strength of bcrypt.",
    ),
]
