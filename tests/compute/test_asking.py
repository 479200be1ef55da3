"""How a probe's question is put, and which answers are good ones."""

import socket
import ssl
import subprocess
import threading

import pytest

from zun import errors
from zun.compute import asking
from zun.domain.probe import HttpGet, Probe, TcpSocket
from zun.interfaces.runtime import ExecResult


class Sandbox:
    """A runtime that dials this machine's loopback, and runs what it is told."""

    def __init__(self, executed=None):
        self.executed = executed
        self.dialled = []

    def dial(self, sandbox_uuid, port, *, host=None, timeout):
        self.dialled.append((host, port))
        return socket.create_connection(("127.0.0.1", port), timeout)

    def execute(self, uuid, command, *, timeout, limit):
        if isinstance(self.executed, Exception):
            raise self.executed
        return self.executed


class Server:
    """Answers each connection with the next of its answers (the last one again and again), and keeps what it was asked."""

    def __init__(self, *answers: bytes, context: ssl.SSLContext | None = None, silent: bool = False):
        self.answers, self.context, self.silent, self.heard = list(answers), context, silent, []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.gone = threading.Event()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                channel, _ = self.listening.accept()
            except OSError:
                return
            try:
                channel = self.context.wrap_socket(channel, server_side=True) if self.context else channel
                with channel:
                    self.heard.append(channel.recv(65_536))
                    if self.silent:
                        self.gone.wait(30)
                    else:
                        channel.sendall(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
            except OSError:
                channel.close()

    def close(self):
        self.gone.set()
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        self.thread.join()


@pytest.fixture
def serve():
    made = []

    def make(*answers, **options):
        made.append(Server(*answers, **options))
        return made[-1]

    yield make
    for server in made:
        server.close()


def ask(probe, runtime=None):
    return asking.ask(runtime or Sandbox(), "c", "s", probe)


def get(server, **more):
    timeout = more.pop("timeout", 20)
    return ask(Probe(http=HttpGet(port=server.port, **more), timeout=timeout))


def said(status, *headers):
    return "\r\n".join([f"HTTP/1.1 {status} Whatever", *headers, "", "body"]).encode()


@pytest.mark.parametrize(("status", "well"), [(200, True), (204, True), (302, True), (399, True), (400, False), (503, False), (199, False)])
def test_an_answer_from_200_to_399_is_a_good_one(serve, status, well):
    answer = get(serve(said(status)))
    assert answer.well is well
    assert answer.words == ("" if well else f"HTTP status {status}" if status > 199 else "the answer is not HTTP")


def test_what_is_asked_is_what_the_probe_says(serve):
    server = serve(said(200))
    headers = [("X-One", "1"), ("x-one", "2"), ("Host", "shop.example"), ("accept", "")]
    assert get(server, path="/healthz?deep=1", headers=headers).well
    lines = server.heard[0].decode().split("\r\n")
    assert lines[0] == "GET /healthz?deep=1 HTTP/1.1"
    assert {"X-One: 1", "x-one: 2", "Host: shop.example", "User-Agent: zun-probe", "Connection: close"} == set(filter(None, lines[1:]))


def test_without_a_header_the_host_is_the_address(serve):
    server = serve(said(200))
    assert get(server).well
    assert f"Host: 127.0.0.1:{server.port}" in server.heard[0].decode().split("\r\n")


def test_a_redirection_on_the_same_host_is_followed(serve):
    other = serve(said(500))
    server = serve(said(301, "Location: /deep/er?x=1"), said(307, f"location: http://127.0.0.1:{other.port}/there"))
    answer = get(server)
    assert (answer.well, answer.words) == (False, "HTTP status 500")
    assert [heard.split(b" ")[1] for heard in (*server.heard, *other.heard)] == [b"/", b"/deep/er?x=1", b"/there"]


@pytest.mark.parametrize("location", ["https://elsewhere.example/", "//169.254.169.254/latest", "http://[::1", "ftp://127.0.0.1/"])
def test_a_redirection_to_elsewhere_is_good_and_not_followed(serve, location):
    server = serve(said(302, f"Location: {location}"))
    answer = get(server)
    assert answer.well
    assert "leads to another host" in answer.words
    assert len(server.heard) == 1


def test_redirections_come_to_an_end(serve):
    server = serve(said(302, "Location: /again"))
    answer = get(server)
    assert (answer.well, answer.words) == (False, "more than 10 redirections")
    assert len(server.heard) == 11


def test_a_location_brings_no_lines_into_the_next_request(serve):
    server = serve(b"HTTP/1.1 302 Found\r\nLocation: /a\x0bb \x00c\xff\r\n\r\n", said(200))
    assert get(server).well
    assert server.heard[1].startswith(b"GET /a%0Bb%20%00c%FF HTTP/1.1\r\n")


def test_words_ahead_of_the_answer_are_not_the_answer(serve):
    assert get(serve(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + said(500))).words == "HTTP status 500"


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"\x00" * 40_000, b"HTTP/1.1 abc\r\n\r\n"])
def test_what_is_no_http_is_no_good_answer(serve, answer):
    assert get(serve(answer)).words == "the answer is not HTTP"


def test_who_does_not_answer_in_time_has_failed(serve):
    assert get(serve(silent=True), timeout=1).words == "no answer within 1 s"


def test_a_certificate_is_not_looked_at(serve, tmp_path):
    files = [str(tmp_path / name) for name in ("key.pem", "cert.pem")]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=nobody"]
    subprocess.run([*command, "-keyout", files[0], "-out", files[1]], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files[1], files[0])
    server = serve(said(200), context=context)
    assert get(server, scheme="https").well
    plain = get(serve(said(200)), scheme="https")
    assert not plain.well
    assert plain.words


def test_a_connection_is_enough_for_tcp(serve):
    server = serve(b"")
    assert ask(Probe(tcp=TcpSocket(port=server.port), timeout=20)).well


def test_nobody_there_is_said_so():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        for probe in (Probe(tcp=TcpSocket(port=unused.getsockname()[1])), Probe(http=HttpGet(port=unused.getsockname()[1]))):
            assert ask(probe).words == "Connection refused"


def test_the_host_that_is_named_is_the_one_that_is_asked(serve):
    server, runtime = serve(said(200)), Sandbox()
    assert ask(Probe(http=HttpGet(port=server.port, host="10.0.0.9"), timeout=20), runtime).well
    assert runtime.dialled == [("10.0.0.9", server.port)]


@pytest.mark.parametrize(
    ("executed", "well", "words"),
    [
        (ExecResult(output=b"", exit_code=0), True, ""),
        (ExecResult(output=b"no such file\n", exit_code=2), False, "the command ended with 2: no such file"),
        (ExecResult(output=b"", exit_code=1), False, "the command ended with 1"),
        (errors.ExecTimeout(seconds="3"), False, "the command did not end within 3 s"),
    ],
)
def test_a_command_that_ends_with_0_is_a_good_answer(executed, well, words):
    answer = ask(Probe(exec=["check"], timeout=3), Sandbox(executed))
    assert (answer.well, answer.words) == (well, words)


def test_what_cannot_be_asked_is_no_answer():
    with pytest.raises(errors.NotRunning):
        ask(Probe(exec=["check"]), Sandbox(errors.NotRunning(id="c", reason="it is paused")))
