"""The samples under etc/ are what the generators make of the declarations now."""

from __future__ import annotations

import importlib.metadata
import io
import os
import re
from pathlib import Path

import pytest
from oslo_config import cfg, generator

from zun.api import policy

ETC = Path(__file__).parents[2] / "etc" / "zun"


def blocks(sample: str) -> dict[tuple[str, str], str]:
    """A sample's parts, by section and by the package that they come from."""
    found = {}
    for section in re.split(r"^(?=\[)", sample, flags=re.M)[1:]:
        name = section[1 : section.index("]")]
        for part in re.split(r"^#\n# From ", section, flags=re.M)[1:]:
            package, _, text = part.partition("\n")
            found[name, package] = text.strip()
    return found


@pytest.fixture
def installed() -> None:
    """The generators find options by entry points, so only those of an installed package."""
    if not any(point.name == "zun" for point in importlib.metadata.entry_points(group="oslo.config.opts")):
        assert "CI" not in os.environ, "the package is not installed"
        pytest.skip("the package is not installed: pip install -e .")


def test_the_configuration_sample_is_up_to_date(installed: None) -> None:
    conf = cfg.ConfigOpts()
    generator.register_cli_opts(conf)
    conf(["--config-file", str(ETC / "config-generator.conf")], project="oslo-config-generator", default_config_files=[])
    fresh = io.StringIO()
    generator.generate(conf, fresh)
    kept, made = blocks((ETC / "zun.conf.sample").read_text()), blocks(fresh.getvalue())
    assert kept.keys() == made.keys()
    # What libraries say of their own options changes with their versions.
    ours = {key: text for key, text in made.items() if key[1] == "zun"}
    assert {key: text for key, text in kept.items() if key[1] == "zun"} == ours, (
        "run: oslo-config-generator --config-file etc/zun/config-generator.conf"
    )


def test_the_policy_sample_is_up_to_date() -> None:
    sample = (ETC / "policy.yaml.sample").read_text()
    kept = re.findall(r'^#"(.*)": "(.*)"$', sample, flags=re.M)
    assert kept == [(rule.name, rule.check_str) for rule in policy.list_rules()], (
        "run: oslopolicy-sample-generator --config-file etc/zun/policy-generator.conf"
    )
