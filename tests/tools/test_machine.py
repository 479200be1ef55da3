from pathlib import Path

from tools import machine


def test_only_our_control_groups_go_with_those_inside_in_every_hierarchy(tmp_path: Path):
    for group in ("cpu/zun-1/a/b", "memory/zun-1/a", "memory/docker/f00", "cpu/other/zun-2"):
        (tmp_path / group).mkdir(parents=True)
    machine.remove_groups(lambda name: name in ("zun-1", "f00"), tmp_path)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
        "cpu",
        "cpu/other",
        "cpu/other/zun-2",
        "memory",
        "memory/docker",
    ]


def test_a_group_that_is_in_use_stays(tmp_path: Path):
    used = tmp_path / "cpu" / "zun-1" / "a"
    used.mkdir(parents=True)
    (used / "cgroup.procs").write_text("1\n")
    machine.remove_groups(lambda name: name == "zun-1", tmp_path)
    assert used.exists()
