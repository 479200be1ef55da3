"""What Keystone's middleware has said of a token is asked once in a while, and of some tokens each time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

pytest.importorskip("keystonemiddleware")

from zun.api.keystone import MOST_REMEMBERED, KeystoneAuth, Said

NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
OWN = "a" * 32


class Middleware:
    """Says of every token what the test has set, as Keystone's own does, and counts how often it is asked."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.asked: list[str] = []
        self.token: dict[str, Any] = {"expires_at": "2026-05-01T13:00:00.000000Z"}
        self.headers = {"HTTP_X_IDENTITY_STATUS": "Confirmed", "HTTP_X_PROJECT_ID": OWN, "HTTP_X_ROLES": "member"}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.asked.append(environ["HTTP_X_AUTH_TOKEN"])
        environ["keystone.token_info"] = {"token": self.token}
        environ.update(self.headers, HTTP_X_SERVICE_CATALOG="[]")
        if "HTTP_X_SERVICE_TOKEN" in environ:
            environ["HTTP_X_SERVICE_ROLES"] = "service"
        return self.app(environ, start_response)  # type: ignore[no-any-return]


class World:
    """The application behind the middleware: what it is told of each caller, as time goes on."""

    def __init__(self, seconds: float = 5.0) -> None:
        self.passed = 0.0
        self.told: list[dict[str, Any]] = []
        said = Said(lambda: seconds, ticks=lambda: self.passed, clock=lambda: NOW + timedelta(seconds=self.passed))
        self.auth = KeystoneAuth(self._app, self._middleware, said)

    def _middleware(self, app: Any) -> Middleware:
        self.middleware = Middleware(app)
        return self.middleware

    def _app(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        identity = ("HTTP_X_IDENTITY", "HTTP_X_PROJECT", "HTTP_X_ROLES", "HTTP_X_SERVICE", "HTTP_X_USER")
        self.told.append({name: value for name, value in environ.items() if name.startswith(identity)})
        return []

    def ask(self, token: str = "one", path: str = "/v1/containers", **headers: str) -> dict[str, Any]:
        """What the application is told of who has this token."""
        self.auth({"PATH_INFO": path, "HTTP_X_AUTH_TOKEN": token, **headers}, lambda *_: None)
        return self.told[-1]


def test_what_was_said_of_a_token_holds_for_some_seconds() -> None:
    world = World()
    first = world.ask()
    assert first == world.middleware.headers, "and the catalog, which nobody reads, is not among it"
    world.passed = 4.9
    assert world.ask() == first
    assert world.middleware.asked == ["one"]
    world.passed = 5.0
    world.middleware.headers["HTTP_X_ROLES"] = "reader"
    assert world.ask()["HTTP_X_ROLES"] == "reader"
    assert world.middleware.asked == ["one", "one"]


def test_it_is_of_this_token_alone() -> None:
    world = World()
    world.ask("one")
    world.middleware.headers = {"HTTP_X_IDENTITY_STATUS": "Confirmed", "HTTP_X_PROJECT_ID": "b" * 32}
    assert world.ask("two")["HTTP_X_PROJECT_ID"] == "b" * 32
    assert world.ask("one")["HTTP_X_PROJECT_ID"] == OWN
    assert world.middleware.asked == ["one", "two"]


def test_what_a_client_says_of_himself_is_not_heard_with_a_remembered_token_either() -> None:
    world = World()
    first = world.ask()
    assert world.ask(HTTP_X_ROLES="admin", HTTP_X_USER_ID="ada", HTTP_X_PROJECT_ID="b" * 32) == first
    assert world.middleware.asked == ["one"]


def test_nothing_outlives_its_token() -> None:
    world = World()
    world.middleware.token["expires_at"] = "2026-05-01T12:00:02.000000Z"
    world.ask()
    world.passed = 2.0
    world.ask()
    assert world.middleware.asked == ["one", "one"]


@pytest.mark.parametrize(
    "more",
    [
        {"application_credential": {"access_rules": [{"method": "GET", "path": "/v1/containers", "service": "container"}]}},
        {"application_credential": {"access_rules": []}},
        {"bind": {"kerberos": "mia"}},
    ],
)
def test_where_the_request_itself_is_looked_at_it_is_asked_each_time(more: dict[str, Any]) -> None:
    world = World()
    world.middleware.token.update(more)
    world.ask()
    world.ask()
    assert world.middleware.asked == ["one", "one"]


def test_an_application_credential_that_may_call_everything_is_as_good_as_a_password() -> None:
    world = World()
    world.middleware.token["application_credential"] = {"id": "c" * 32, "restricted": True}
    world.ask()
    world.ask()
    assert world.middleware.asked == ["one"]


def test_with_the_token_of_a_service_it_is_asked_each_time_and_its_roles_are_nobody_elses() -> None:
    world = World()
    for _ in range(2):
        assert world.ask(HTTP_X_SERVICE_TOKEN="theirs")["HTTP_X_SERVICE_ROLES"] == "service"
    assert "HTTP_X_SERVICE_ROLES" not in world.ask()
    assert world.ask(HTTP_X_SERVICE_TOKEN="theirs")["HTTP_X_SERVICE_ROLES"] == "service"
    assert world.middleware.asked == ["one"] * 4


def test_a_token_that_is_not_good_is_asked_about_each_time() -> None:
    """Where the middleware leaves the decision to the application behind it."""
    world = World()
    world.middleware.headers["HTTP_X_IDENTITY_STATUS"] = "Invalid"
    for _ in range(2):
        assert world.ask()["HTTP_X_IDENTITY_STATUS"] == "Invalid"
    assert world.middleware.asked == ["one", "one"]


def test_an_operator_who_wants_no_cache_has_none() -> None:
    world = World(seconds=-1)
    world.ask()
    world.ask()
    assert world.middleware.asked == ["one", "one"]


def test_no_more_tokens_are_remembered_than_that() -> None:
    world = World()
    for number in range(MOST_REMEMBERED + 1):
        world.ask(f"token-{number}")
    world.middleware.asked.clear()
    world.ask("token-0")
    world.ask(f"token-{MOST_REMEMBERED}")
    assert world.middleware.asked == ["token-0"]


def test_public_paths_need_no_token_and_see_none() -> None:
    world = World()
    world.ask()
    assert world.ask(path="/v1") == {}
