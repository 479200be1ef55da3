"""Doors: what a token opens, to whom, how often, and how a stream behind it ends."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from zun import errors
from zun.compute.doors import DoorKeeper, Passage, Reading, Writing
from zun.conformance.runtime_bench import PATIENCE, eventually
from zun.interfaces.streams import Door, Wire, refused
from zun.rpc.doors import TcpDoors, line


@pytest.fixture
def keeper() -> Iterator[DoorKeeper]:
    made = DoorKeeper("127.0.0.1", most=50)
    made.start()
    yield made
    made.stop()


class Engine:
    """The far end of a wire, and whether somebody said that the stream is over."""

    def __init__(self, patience: float | None = None) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.theirs.settimeout(PATIENCE)
        self.left = threading.Event()
        self.patience = patience

    def enter(self) -> Passage:
        return Passage(Wire(self.ours, bytes.upper), patience=self.patience, left=self.left.set)


def come(door: Door) -> socket.socket:
    return TcpDoors(PATIENCE).connect(door)


def everything(channel: socket.socket) -> bytes:
    return b"".join(iter(lambda: channel.recv(65_536), b""))


def test_a_stream_goes_both_ways_and_ends_with_the_engine(keeper: DoorKeeper) -> None:
    engine = Engine()
    with come(keeper.make(engine.enter)) as channel:
        channel.sendall(b"in")
        assert engine.theirs.recv(10) == b"in"
        engine.theirs.sendall(b"out")
        assert channel.recv(10) == b"OUT"
        engine.theirs.close()
        assert everything(channel) == b""
    assert engine.left.wait(PATIENCE)


def test_a_token_is_good_once_and_a_wrong_one_never(keeper: DoorKeeper) -> None:
    engine = Engine()
    door = keeper.make(engine.enter)
    with come(door), pytest.raises(errors.Unauthorized):
        come(door)
    for token in ("", "x", "x" * 5000):
        with pytest.raises((errors.Unauthorized, errors.RpcUnavailable, errors.ZunError)):
            come(Door(host=door.host, port=door.port, token=token))
    assert door.token not in repr(door)


def test_a_door_expires_and_what_was_kept_for_it_is_given_up(keeper: DoorKeeper) -> None:
    forgotten = threading.Event()
    door = keeper.make(Engine().enter, forgotten.set)
    (mark,) = keeper._waiting
    keeper._loop.call_soon_threadsafe(keeper._expire, mark)
    assert forgotten.wait(PATIENCE)
    with pytest.raises(errors.Unauthorized):
        come(door)


def test_why_a_stream_cannot_be_had_is_told(keeper: DoorKeeper) -> None:
    def enter() -> Passage:
        raise errors.NotRunning(id="c", reason="it is exited")

    with pytest.raises(errors.NotRunning, match="it is exited"):
        come(keeper.make(enter))


def test_who_goes_ends_what_he_alone_read(keeper: DoorKeeper) -> None:
    engine = Engine()
    come(keeper.make(engine.enter)).close()
    assert engine.left.wait(PATIENCE)


def test_the_end_of_what_is_said_leaves_a_command_time_to_answer(keeper: DoorKeeper) -> None:
    engine = Engine(patience=PATIENCE)
    with come(keeper.make(engine.enter)) as channel:
        channel.sendall(b"all of it")
        channel.shutdown(socket.SHUT_WR)
        assert everything(engine.theirs) == b"all of it"
        engine.theirs.sendall(b"done")
        engine.theirs.close()
        assert everything(channel) == b"DONE"


def test_a_slow_reader_slows_the_writer_down_and_holds_no_memory(keeper: DoorKeeper) -> None:
    engine = Engine()
    with come(keeper.make(engine.enter)):
        engine.theirs.settimeout(0.5)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 64 << 20:
                sent += engine.theirs.send(bytes(65_536))
        assert sent < 32 << 20


def test_many_idle_streams_hold_no_threads(keeper: DoorKeeper) -> None:
    before = threading.active_count()
    channels = [come(keeper.make(Engine().enter)) for _ in range(50)]
    assert threading.active_count() <= before + 8
    with pytest.raises(errors.TooManyStreams):
        keeper.make(Engine().enter)
    for channel in channels:
        channel.close()
    eventually(lambda: keeper._open == 0)


def test_all_ends_when_the_agent_stops(keeper: DoorKeeper) -> None:
    engine, forgotten = Engine(), threading.Event()
    with come(keeper.make(engine.enter)) as channel:
        door = keeper.make(Engine().enter, forgotten.set)
        keeper.stop()
        assert everything(channel) == b""
    assert engine.left.is_set()
    assert forgotten.is_set()
    with pytest.raises(errors.RpcUnavailable):
        come(door)
    with pytest.raises(errors.EngineUnavailable):
        keeper.make(engine.enter)


def test_an_archive_that_is_broken_off_is_no_whole_one(keeper: DoorKeeper) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"half"
        raise errors.EngineUnavailable(reason="it died")

    with come(keeper.make(lambda: Reading(pieces()))) as channel, pytest.raises(ConnectionResetError):
        everything(channel)
    with come(keeper.make(lambda: Reading(iter([b"wh", b"ole"])))) as channel:
        assert everything(channel) == b"whole"


@pytest.mark.parametrize("wrong", [None, errors.InvalidArchive(path="/p", reason="no tar")])
def test_whoever_sends_an_archive_hears_whether_it_arrived(keeper: DoorKeeper, wrong: errors.ZunError | None) -> None:
    taken: list[bytes] = []

    def take(pieces: Iterator[bytes]) -> None:
        taken.extend(pieces)
        if wrong:
            raise wrong

    with come(keeper.make(lambda: Writing(take))) as channel:
        channel.sendall(b"a" * 200_000)
        channel.shutdown(socket.SHUT_WR)
        told = refused(line(channel))
    assert b"".join(taken) == b"a" * 200_000
    assert (told is None) is (wrong is None)


def test_a_refusal_comes_back_though_more_was_on_its_way(keeper: DoorKeeper) -> None:
    def take(pieces: Iterator[bytes]) -> None:
        next(pieces)
        raise errors.NoSuchPath(path="/p", id="c")

    with come(keeper.make(lambda: Writing(take))) as channel:
        channel.sendall(b"a" * 5_000_000)
        channel.shutdown(socket.SHUT_WR)
        assert isinstance(refused(line(channel)), errors.NoSuchPath)


def test_strangers_who_say_nothing_keep_nobody_out(keeper: DoorKeeper, monkeypatch: pytest.MonkeyPatch) -> None:
    door: Callable[[], Door] = lambda: keeper.make(Engine().enter)  # noqa: E731
    first = door()
    silent = [socket.create_connection((first.host, first.port)) for _ in range(40)]
    come(door()).close()
    for each in silent:
        each.close()
