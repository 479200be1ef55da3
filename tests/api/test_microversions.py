"""Negotiation of microversions (REST contract, section 2)."""

from __future__ import annotations

import pytest

from tests.api.edge import Edge, error
from zun import errors
from zun.api import microversion
from zun.domain.model import Version

HEADER = "OpenStack-API-Version"


@pytest.mark.parametrize(
    ("sent", "served"),
    [
        (None, "container 1.1"),
        ("container 1.1", "container 1.1"),
        ("container 1.12", "container 1.12"),
        ("container 1.40", "container 1.40"),
        ("container 1.41", "container 1.41"),
        ("container latest", "container 1.41"),
        ("  container   1.5 ", "container 1.5"),
    ],
)
def test_the_version_that_is_served_is_echoed(edge: Edge, sent: str | None, served: str) -> None:
    answer = edge("GET", "/v1/containers", headers={HEADER: sent} if sent else {})
    assert answer.status_code == 200
    assert answer.headers["openstack-api-version"] == served
    assert answer.headers["openstack-api-minimum-version"] == "container 1.1"
    assert answer.headers["openstack-api-maximum-version"] == "container 1.41"
    assert answer.headers["vary"] == HEADER


@pytest.mark.parametrize("path", ["/v1/containers/missing", "/v1/nowhere", "/v1/services", "/v1/containers?limit=0"])
def test_errors_echo_it_too(edge: Edge, path: str) -> None:
    answer = edge("GET", path, at="1.9")
    assert answer.status_code >= 400
    assert answer.headers["openstack-api-version"] == "container 1.9"


@pytest.mark.parametrize("sent", ["compute 1.1", "1.1", "container", "container 1.1 more", "", "Container 1.1"])
def test_another_service_is_406_and_sets_no_version_headers(edge: Edge, sent: str) -> None:
    answer = edge("GET", "/v1/containers", headers={HEADER: sent})
    found = error(answer)
    assert (found["status"], found["detail"]) == (406, "Invalid service type for OpenStack-API-Version header")
    assert "openstack-api-version" not in answer.headers


@pytest.mark.parametrize("sent", ["1.latest", "1", "one.two", "1.1.1", "1.-1", "1.1e1", "1.999999999999999999", "1.²"])
def test_what_is_no_version_is_406(sent: str) -> None:
    with pytest.raises(errors.UnsupportedVersion, match=r"Invalid value for OpenStack-API-Version header"):
        microversion.negotiate(f"container {sent}")


@pytest.mark.parametrize("sent", ["1.0", "1.42", "2.1", "0.1"])
def test_a_version_out_of_range_is_406_and_tells_the_range(edge: Edge, sent: str) -> None:
    found = error(edge("GET", "/v1/containers", at=sent))
    assert found["status"] == 406
    assert found["code"] == "zun.microversion-unsupported"
    assert found["title"] == "Requested microversion is unsupported"
    assert (found["min_version"], found["max_version"]) == ("1.1", "1.41")
    assert [link["rel"] for link in found["links"]] == ["help"]


@pytest.mark.parametrize(("at", "status"), [(None, 406), ("1.3", 406), ("1.4", 200), ("1.40", 200), ("1.41", 200)])
def test_hosts_appeared_with_1_4(edge: Edge, at: str | None, status: int) -> None:
    answer = edge("GET", "/v1/hosts", role="admin", at=at)
    assert answer.status_code == status
    if status == 406:
        assert error(answer)["detail"] == (f"Version {at or '1.1'} was requested but the requested API is not supported for this version.")


def test_versions_are_numbers_and_no_text() -> None:
    assert Version(1, 9) < Version(1, 10) <= microversion.negotiate("container latest")
