"""The WSGI application: what a request goes through, in order, and the one dispatcher of the table in ``api/routes.py``."""

from __future__ import annotations

import functools
import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import falcon
import msgspec
from oslo_config import cfg
from oslo_context.context import generate_request_id

from zun import errors
from zun.api import context, failures, idempotency, microversion, openapi, paths, reading
from zun.api.auth import WSGI
from zun.api.call import Answer, Call, Parts, Streamed
from zun.api.derive import Form, Forms, Loaded, Purpose
from zun.api.middleware import Middleware
from zun.api.policy import Policy
from zun.api.routes import ROUTES, Route, Who
from zun.api.upload import Upload
from zun.conductor.accept import Accept
from zun.conductor.admin import Admin
from zun.conductor.archives import Archives
from zun.conductor.images import HostImages
from zun.conductor.networks import Networks
from zun.conductor.registries import Registries
from zun.conductor.streams import Streams
from zun.conductor.verbs import Verbs
from zun.conf.limits import bounds
from zun.domain.model import MAX_VERSION, Version
from zun.interfaces.store import Store

HEALTHCHECK = "/healthcheck"
#: One makes rows into an answer while another waits for the database. More would not be sooner, because Python lets one thread run at a
#: time, and each of them has megabytes.
LISTS_AT_ONCE = 2
#: the one call that has another form than JSON, and that form
EVENTS, EVENT_STREAM = "/v1/events", "text/event-stream"
#: ids of requests: their form, where the log looks for that of another service, and where clients look for ours
ID_FORMAT = r"^req-[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}$"
GLOBAL_REQ_ID = "openstack.global_request_id"
HTTP_RESP_HEADER_REQUEST_ID = "x-openstack-request-id"
NO_HOST = "The Host header of the request names no host."
NO_JSON = "The Accept header of the request excludes application/json."


def make_app(
    *,
    conf: cfg.ConfigOpts,
    store: Store,
    accept: Accept,
    verbs: Verbs,
    admin: Admin,
    networks: Networks,
    registries: Registries,
    images: HostImages,
    streams: Streams,
    proxy_port: int,
    archives: Archives,
    clock: Callable[[], datetime],
    authenticate: Callable[[WSGI], WSGI],
    ticks: Callable[[], float] = time.monotonic,
) -> WSGI:
    """The whole application. ``authenticate`` puts in front of it what answers 401, or says in headers who the caller is; ``clock`` tells
    the time, ``ticks`` seconds that go on however it is set."""
    forms = Forms(bounds(conf))
    parts = Parts(
        describe=functools.cache(functools.partial(openapi.document, ROUTES, forms)),
        store=store,
        accept=accept,
        verbs=verbs,
        admin=admin,
        networks=networks,
        registries=registries,
        images=images,
        policy=Policy(conf, ticks),
        forms=forms,
        clock=clock,
        max_limit=conf.api.max_limit,
        max_body=conf.api.max_request_body_size,
        max_upload=conf.api.max_archive_body_size,
        archives=archives,
        service_down_time=conf.compute.service_down_time,
        streams=streams,
        proxy_url=conf.websocket_proxy.base_url,
        proxy_port=proxy_port,
        lists=threading.BoundedSemaphore(LISTS_AT_ONCE),
    )
    return pipeline(_falcon(parts, ROUTES, conf.api.retry_after), conf, authenticate)


def pipeline(app: WSGI, conf: cfg.ConfigOpts, authenticate: Callable[[WSGI], WSGI]) -> WSGI:
    """What a request passes on its way to the calls, the outermost last."""
    middleware = Middleware(conf)
    app = _told_version(authenticate(app))
    app = _only_at(HEALTHCHECK, middleware.healthcheck(), app)
    app = _no_escape(app, conf.api.retry_after)
    app = _with_request_id(app)
    return middleware.for_browsers(middleware.behind_proxies(app))


def _only_at(path: str, special: WSGI, app: WSGI) -> WSGI:
    def choose(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        return (special if environ.get("PATH_INFO") == path else app)(environ, start_response)

    return choose


def _with_request_id(app: WSGI) -> WSGI:
    """Every request has an id, which its answer tells; the id that another service has given it is known to the log, too.

    What oslo's middleware of this name does. That takes request and answer apart with WebOb, a tenth of a small request's time.
    """

    def named(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        given = environ.get("HTTP_X_OPENSTACK_REQUEST_ID", "")
        if re.match(ID_FORMAT, given):
            environ[GLOBAL_REQ_ID] = given
        own = environ[context.REQUEST_ID] = generate_request_id()

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            return start_response(status, [*headers, (HTTP_RESP_HEADER_REQUEST_ID, own)], exc_info)

        answer = app(environ, start)
        if environ["REQUEST_METHOD"] != "HEAD":
            return answer
        # An answer to HEAD has no body, whoever has made it.
        getattr(answer, "close", lambda: None)()
        return ()

    return named


def _told_version(app: WSGI) -> WSGI:
    """Every answer below /v1 tells its microversion, a 401 too; where none could be negotiated there is none to tell."""

    def telling(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if paths.normal(environ.get("PATH_INFO", "")) in paths.UNVERSIONED:
            return app(environ, start_response)
        try:
            told = list(microversion.headers(microversion.negotiate(environ.get(microversion.ENVIRON))).items())
        except errors.UnsupportedVersion:
            return app(environ, start_response)

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            return start_response(status, headers + told, exc_info)

        return app(environ, start)

    return telling


def _no_escape(app: WSGI, retry_after: int) -> WSGI:
    """Whatever fails outside of the calls is told in the API's own form too."""

    def guarded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            return app(environ, start_response)
        except Exception as error:
            return failures.of(error, retry_after).send(start_response)

    return guarded


# -- the calls ------------------------------------------------------------------------------------


def _falcon(parts: Parts, routes: Sequence[Route], retry_after: int) -> WSGI:
    app: falcon.App[Any, Any] = falcon.App(middleware=[Edge()])

    def fail(request: falcon.Request, response: falcon.Response, error: Exception, params: dict[str, Any]) -> None:
        failure = failures.of(error, retry_after)
        response.status = failure.status
        response.data = failure.body
        response.content_type = falcon.MEDIA_JSON
        for name, value in failure.headers.items():
            response.set_header(name, value)

    for kind in (Exception, falcon.HTTPError):
        app.add_error_handler(kind, fail)
    for path in dict.fromkeys(route.path for route in routes):
        app.add_route(path, Resource(parts, [route for route in routes if route.path == path]))
    return app


class Edge:
    """What holds for every request: the form of its path, its microversion, its host, the form of the answer."""

    def process_request(self, request: falcon.Request, response: falcon.Response) -> None:
        """Before the route is chosen."""
        request.path = paths.normal(request.path)
        header = None if request.path == paths.ROOT else request.get_header(microversion.HEADER)
        newest = header is None and request.path == paths.OPENAPI
        request.context.version = MAX_VERSION if newest else microversion.negotiate(header)
        if not paths.is_host(request.netloc):
            raise falcon.HTTPBadRequest(description=NO_HOST)
        if not request.client_accepts_json and not (request.path == EVENTS and request.client_accepts(EVENT_STREAM)):
            raise falcon.HTTPNotAcceptable(description=NO_JSON)

    def process_resource(self, request: falcon.Request, response: falcon.Response, resource: Resource, params: dict[str, Any]) -> None:
        """After the route is chosen. Falcon would answer OPTIONS by itself, and 400 to a method that it has never heard of."""
        if request.method not in resource.allowed:
            raise falcon.HTTPMethodNotAllowed(resource.allowed)


class Resource:
    """The calls of one path. Falcon looks for a method ``on_get`` for GET, and so on."""

    def __init__(self, parts: Parts, routes: Sequence[Route]) -> None:
        self.allowed = list(dict.fromkeys(route.method for route in routes))
        for method in self.allowed:
            rows = [route for route in routes if route.method == method]
            setattr(self, f"on_{method.lower()}", functools.partial(_dispatch, parts, rows))


def _dispatch(parts: Parts, rows: Sequence[Route], request: falcon.Request, response: falcon.Response, **params: str) -> None:
    version: Version = request.context.version
    route = next((row for row in rows if row.since <= version <= row.until), None)
    if route is None:
        raise errors.UnsupportedVersion(reason=microversion.WRONG_METHOD.format(version=version))
    host_url = f"{request.scheme}://{request.netloc}"
    call = Call(parts, version, context.of(request.env), host_url, params, verb=route.verb, key=request.get_header(idempotency.HEADER))
    call.wants_stream = not request.client_accepts_json
    call.last_event = request.get_header("Last-Event-ID")
    try:
        answer = serve(route, call, request)
    finally:
        if call.upload is not None:
            call.upload.close()
    if isinstance(answer, Streamed):
        response.stream = answer.body
        response.content_type = falcon.MEDIA_JSON
        return
    status = route.status
    if isinstance(answer, Answer):
        response.location = answer.location
        status, answer = answer.status or status, answer.body
    response.status = status
    if route.status != 204:
        response.data = msgspec.json.encode(answer)
        response.content_type = falcon.MEDIA_JSON


def serve(route: Route, call: Call, request: falcon.Request) -> Any:
    """One call, in the order of its checks: token, thing (404), policy (403), state (409), arguments (400).

    Calls without a state check their arguments first. Version gates come after the policy (REST contract, section 5; states, section 2).
    """
    if route.who is not Who.ANYBODY and not context.has_project(call.context):
        raise errors.PolicyNotAuthorized(rule=route.rule)
    form = call.parts.forms.get(route.options, route.entity, route.purpose, call.version)
    call.query = reading.query(request)
    body = {} if route.method == "GET" or route.upload else reading.body(request, call.parts.max_body)
    if route.wrapped:
        call.query, body = {}, reading.unwrapped(call.query, body, route.wrapped, needed=route.purpose is Purpose.CREATE)
    loaded = None if route.verb else _load(route, form, call, body)
    if route.all_projects and getattr(call.options, "all_projects", False):
        call.require(route.all_projects)
    if route.finds is not None:
        call.row = route.finds(call)
    if route.rule is not None:
        call.require(route.rule)
    if route.verb:
        call.parts.verbs.check(call.row, route.verb)
        if route.upload:
            call.upload = Upload(request, "data", call.parts.max_upload)
            body = call.upload.members(route.upload(call))
        loaded = _load(route, form, call, body)
    if loaded is not None:
        for guard in form.guards(loaded):
            call.require(f"container:create:{guard}")
        form.gate(loaded)
    return route.handler(call)


def _load(route: Route, form: Form, call: Call, body: dict[str, Any]) -> Loaded:
    loaded = form.load(call.query, body, route.strict)
    call.given, call.values, call.names = loaded.options, loaded.values, loaded.names
    call.options = route.options(**loaded.options)
    return loaded
