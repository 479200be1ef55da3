"""A log is followed while its container writes (microversion 1.41), on a real engine."""

import pytest
import requests

from tests.service.aio import PATIENCE, eventually

AT = "1.41"


@pytest.fixture
def made(service):
    """Makes a running container; it is deleted after the test."""
    uuids = []

    def make(*command, **fields):
        uuids.append(service.create(*command, **fields))
        service.wait(uuids[-1], "Running", "Stopped")
        return uuids[-1]

    yield make
    for uuid in uuids:
        service.delete(f"/containers/{uuid}", params={"force": True})
        service.wait_gone(uuid)
    service.assert_nothing_leaked()


def followed(service, uuid, **options):
    """Where the log is followed: an address for one time."""
    answer = service.request("GET", f"/containers/{uuid}/logs", AT, params={"follow": "true", **options}, allow_redirects=False)
    assert answer.status_code == 307, answer.text
    return answer.headers["Location"]


def opened(address):
    return requests.get(address, stream=True, timeout=PATIENCE)


def test_what_is_written_before_and_after_is_told_until_the_container_ends(service, made):
    uuid = made("sh", "-c", "echo before; while [ ! -e /go ]; do sleep 0.1; done; echo after; exit 0")
    eventually(lambda: "before" in service.get(f"/containers/{uuid}/logs").json(), "it has written")
    with opened(followed(service, uuid)) as stream:
        assert stream.status_code == 200
        assert stream.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert stream.headers["Transfer-Encoding"] == "chunked"
        lines = stream.iter_lines()
        assert next(lines) == b"before"
        service.post(f"/containers/{uuid}/execute", params={"command": "touch /go"})
        assert list(lines) == [b"after"]


def test_a_client_follows_the_redirection_by_itself(service, made):
    uuid = made("sh", "-c", "echo one; echo two; sleep 1")
    answer = service.request("GET", f"/containers/{uuid}/logs", AT, params={"follow": "true", "tail": "1"}, stream=True)
    eventually(lambda: service.show(uuid)["status"] == "Stopped", "it ends")
    assert answer.text.endswith("two\n")


def test_an_address_is_good_once_and_for_no_other_container(service, made):
    uuid, other = made("sh", "-c", "echo mine; exit 0"), made("sh", "-c", "echo other; exit 0")
    address = followed(service, uuid)
    assert opened(address.replace(uuid, other)).status_code == 401
    assert opened(address).text == "mine\n"
    assert opened(address).status_code == 401


def test_who_goes_on_from_the_last_time_stamp_misses_nothing(service, made):
    uuid = made("sh", "-c", "i=0; while [ $i -lt 30 ]; do echo line $i; i=$((i+1)); sleep 0.1; done; exit 0")
    with opened(followed(service, uuid, timestamps="true")) as stream:
        lines = stream.iter_lines()
        first = [next(lines).decode() for _ in range(5)]
    service.kill()
    service.start()
    with opened(followed(service, uuid, timestamps="true", since=first[-1].split()[0])) as stream:
        rest = [line.decode() for line in stream.iter_lines()]
    told = list(dict.fromkeys(line.split(" ", 1)[1] for line in first + rest))
    assert told == [f"line {number}" for number in range(30)]


def test_below_1_41_there_is_no_such_option(service, made):
    uuid = made()
    assert service.request("GET", f"/containers/{uuid}/logs", "1.40", params={"follow": "true"}).status_code == 400
