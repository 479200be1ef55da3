"""How configuration files are written."""

from __future__ import annotations

import pytest
from oslo_config import cfg

from cloud import ini


def test_oslo_config_reads_what_was_written(tmp_path: object) -> None:
    file = f"{tmp_path}/a.conf"
    with open(file, "w") as written:  # noqa: PTH123
        written.write(
            ini.render({"DEFAULT": {"name": "it's $5, or 7%", "flag": True, "names": ["a", "b"]}, "group": {"number": 3, "no": False}})
        )
    conf = cfg.ConfigOpts()
    conf.register_opts([cfg.StrOpt("name"), cfg.BoolOpt("flag"), cfg.ListOpt("names")])
    conf.register_opts([cfg.IntOpt("number"), cfg.BoolOpt("no", default=True)], group="group")
    conf(["--config-file", file])
    assert (conf.name, conf.flag, conf.names) == ("it's $5, or 7%", True, ["a", "b"])
    assert (conf.group.number, conf.group.no) == (3, False)


def test_the_last_layer_has_the_last_word() -> None:
    assert ini.merged({"a": {"x": 1, "y": 2}}, {"a": {"x": 3}, "b": {"z": 4}}) == {"a": {"x": 3, "y": 2}, "b": {"z": 4}}


def test_a_value_cannot_begin_another_option() -> None:
    with pytest.raises(ValueError, match="secret"):
        ini.render({"DEFAULT": {"secret": "x\nadmin_token = y"}})
