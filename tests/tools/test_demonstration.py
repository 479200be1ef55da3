import pytest

from tools import demonstration
from tools.progress import Trouble

TABLE = """\
+------+-------+---------+------------+
| uuid | name  | status  | addresses  |
+------+-------+---------+------------+
| 5e78 | hello | Running | 10.190.0.2 |
+------+-------+---------+------------+
"""


def test_the_clients_row_is_read_by_column():
    row = {"uuid": "5e78", "name": "hello", "status": "Running", "addresses": "10.190.0.2"}
    assert demonstration.row_of(TABLE) == row


@pytest.mark.parametrize("table", ["", "\n", TABLE.replace("| 5e78 | hello | Running | 10.190.0.2 |\n", "")])
def test_a_list_without_it_is_trouble(table: str):
    with pytest.raises(Trouble):
        demonstration.row_of(table)


def test_a_command_is_shown_as_it_can_be_typed():
    client = demonstration.Client("/opt/bin/openstack", "zun", {})
    assert client.line("run", "busybox", "echo 'a b'") == """openstack --os-cloud zun appcontainer run busybox 'echo '"'"'a b'"'"''"""
