"""What a driver promises of streams: terminals, commands that one talks with, logs as they grow, archives."""

from __future__ import annotations

import contextlib
import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zun import errors
from zun.conformance.runtime_bench import (
    ECHOES,
    ENDLESS,
    PATIENCE,
    SAYS,
    TALKS,
    WAITS,
    Bench,
    RuntimeFixtures,
    eventually,
    new_uuid,
)
from zun.interfaces.streams import Wire

NOBODYS = "a" * 64


class StreamConformance(RuntimeFixtures):
    """Attach, exec, resize, follow, archives."""

    # -- terminals -------------------------------------------------------------------------------

    @pytest.mark.parametrize("tty", [False, True])
    def test_what_is_said_to_an_attached_container_is_heard(self, bench: Bench, tty: bool) -> None:
        uuid = bench.running(ECHOES, interactive=True, tty=tty)
        with held(bench.runtime.attach(uuid)) as wire:
            wire.sock.sendall(b"hello\n")
            assert b"hello" in until(wire, b"hello")
            bench.runtime.resize(uuid, 24, 80)
            wire.sock.sendall(b"again\n")
            assert b"again" in until(wire, b"again")

    def test_the_stream_of_an_attached_container_ends_with_it(self, bench: Bench) -> None:
        uuid = bench.running(WAITS)
        with held(bench.runtime.attach(uuid)) as wire:
            bench.runtime.kill(uuid, "KILL")
            assert rest(wire) == b""

    def test_who_goes_leaves_the_container_running(self, bench: Bench) -> None:
        uuid = bench.running(ECHOES, interactive=True)
        for _ in range(2):
            with held(bench.runtime.attach(uuid)) as wire:
                wire.sock.sendall(b"hello\n")
                assert b"hello" in until(wire, b"hello")
        assert bench.state(uuid).state.value == "running"

    def test_a_terminal_has_a_size_as_soon_as_it_can_be_attached_to(self, bench: Bench) -> None:
        for tty in (True, False):
            bench.runtime.resize(bench.running(WAITS, interactive=True, tty=tty), 50, 132)

    # -- commands --------------------------------------------------------------------------------

    @pytest.mark.parametrize("tty", [False, True])
    def test_one_can_talk_with_a_command(self, bench: Bench, tty: bool) -> None:
        uuid = bench.running(WAITS)
        exec_id = bench.runtime.exec_create(uuid, ECHOES, tty)
        assert len(exec_id) == 64
        with held(bench.runtime.exec_start(uuid, exec_id)) as wire:
            bench.runtime.exec_resize(uuid, exec_id, 30, 100)
            wire.sock.sendall(b"hello\n")
            assert b"hello" in until(wire, b"hello")
            bench.runtime.exec_end(uuid, exec_id)
            rest(wire)
        eventually(lambda: fails(lambda: bench.runtime.exec_resize(uuid, exec_id, 30, 100), errors.NoSuchExec))
        bench.runtime.exec_end(uuid, exec_id)

    def test_a_command_that_ends_ends_its_stream(self, bench: Bench) -> None:
        uuid = bench.running(WAITS)
        with held(bench.runtime.exec_start(uuid, bench.runtime.exec_create(uuid, SAYS, False))) as wire:
            assert sorted(rest(wire).split()) == [b"err", b"out"]

    def test_a_command_that_nobody_reads_is_ended(self, bench: Bench) -> None:
        uuid = bench.running(WAITS)
        exec_id = bench.runtime.exec_create(uuid, ENDLESS, True)
        with held(bench.runtime.exec_start(uuid, exec_id)):
            pass
        bench.runtime.exec_end(uuid, exec_id)
        eventually(lambda: "4321" not in str(bench.runtime.top(uuid).processes))

    def test_a_command_is_of_one_container_and_runs_once(self, bench: Bench) -> None:
        uuid, other = bench.running(WAITS), bench.running(WAITS)
        exec_id = bench.runtime.exec_create(uuid, SAYS, False)
        calls: list[Callable[[str, str], object]] = [bench.runtime.exec_start, lambda of, which: bench.runtime.exec_resize(of, which, 1, 1)]
        for call in calls:
            for each in ((other, exec_id), (uuid, NOBODYS), (uuid, "../" + "a" * 61)):
                with pytest.raises(errors.NoSuchExec):
                    call(*each)
        with pytest.raises(errors.NoSuchExec):  # it does not run yet
            bench.runtime.exec_resize(uuid, exec_id, 1, 1)
        with held(bench.runtime.exec_start(uuid, exec_id)) as wire:
            rest(wire)
        with pytest.raises(errors.NoSuchExec):
            bench.runtime.exec_start(uuid, exec_id)
        bench.runtime.exec_end(other, exec_id)
        bench.runtime.exec_end(uuid, NOBODYS)

    def test_what_does_not_run_has_no_terminal(self, bench: Bench) -> None:
        uuid = bench.created(WAITS)
        calls: list[Callable[[], object]] = [
            lambda: bench.runtime.attach(uuid),
            lambda: bench.runtime.resize(uuid, 1, 1),
            lambda: bench.runtime.exec_create(uuid, SAYS, False),
            lambda: bench.runtime.exec_start(uuid, NOBODYS),
        ]
        for call in calls:
            with pytest.raises(errors.NotRunning):
                call()

    # -- logs ------------------------------------------------------------------------------------

    @pytest.mark.parametrize("tty", [False, True])
    def test_a_followed_log_begins_with_what_was_and_ends_with_the_container(self, bench: Bench, tty: bool) -> None:
        uuid = bench.running(TALKS, tty=tty)
        eventually(lambda: len(bench.log(uuid).splitlines()) == 3)
        with held(bench.runtime.follow(uuid)) as wire:
            until(wire, b"three")
            bench.runtime.stop(uuid, 5)
            rest(wire)
        with held(bench.runtime.follow(uuid, tail=1)) as wire:
            assert len(rest(wire).splitlines()) == 1

    def test_a_followed_log_tells_what_is_written_from_then_on(self, bench: Bench) -> None:
        uuid = bench.running(ECHOES, interactive=True)
        with held(bench.runtime.follow(uuid, tail=0)) as wire, held(bench.runtime.attach(uuid)) as terminal:
            terminal.sock.sendall(b"news\n")
            assert b"news" in until(wire, b"news")

    def test_a_followed_log_can_be_narrowed(self, bench: Bench) -> None:
        uuid = bench.running(TALKS)
        eventually(lambda: len(bench.log(uuid).splitlines()) == 3)
        bench.runtime.stop(uuid, 5)
        with held(bench.runtime.follow(uuid, stdout=False)) as wire:
            assert rest(wire) == b"two\n"
        with held(bench.runtime.follow(uuid, stdout=False, stderr=False)) as wire:
            assert rest(wire) == b""

    # -- archives --------------------------------------------------------------------------------

    @pytest.mark.parametrize("started", [False, True])
    def test_what_is_put_into_a_container_can_be_got_from_it(self, bench: Bench, started: bool) -> None:
        uuid = bench.running(WAITS) if started else bench.created(WAITS)
        bench.runtime.write_archive(uuid, "/root", iter(packed({"one": b"1" * 200_000, "sub/two": b"2"})))
        stat, pieces = bench.runtime.read_archive(uuid, "/root/one")
        assert (stat.name, stat.size) == ("one", 200_000)
        assert unpacked(pieces) == {"one": b"1" * 200_000}
        stat, pieces = bench.runtime.read_archive(uuid, "/root/sub")
        assert stat.name == "sub"
        assert unpacked(pieces) == {"sub/two": b"2"}

    def test_a_path_that_is_none_is_no_path(self, bench: Bench) -> None:
        uuid = bench.running(WAITS)
        with pytest.raises(errors.NoSuchPath):
            bench.runtime.read_archive(uuid, "/no/such/path")
        with pytest.raises(errors.NoSuchPath):
            bench.runtime.write_archive(uuid, "/no/such/path", iter(packed({"one": b"1"})))
        for call in (bench.runtime.read_archive, lambda of, path: bench.runtime.write_archive(of, path, iter(packed({"one": b"1"})))):
            with pytest.raises(errors.NoSuchObject):
                call(new_uuid(), "/root")

    def test_what_is_no_archive_is_refused(self, bench: Bench) -> None:
        with pytest.raises(errors.InvalidArchive):
            bench.runtime.write_archive(bench.running(WAITS), "/root", iter([b"this is no tar archive" * 1000]))

    def test_what_the_pieces_raise_is_raised(self, bench: Bench) -> None:
        def pieces() -> Iterator[bytes]:
            yield from packed({"one": b"1" * 200_000})[:2]
            raise errors.ArchiveBrokenOff

        uuid = bench.running(WAITS)
        with pytest.raises(errors.ArchiveBrokenOff):
            bench.runtime.write_archive(uuid, "/root", pieces())
        assert bench.state(uuid).state.value == "running"

    def test_no_path_of_an_archive_leads_out_of_the_container(self, bench: Bench) -> None:
        uuid = bench.running(WAITS)
        with contextlib.suppress(errors.InvalidArchive):  # an engine may refuse it, or put it inside
            bench.runtime.write_archive(uuid, "/root", iter(packed({"../../../../../../tmp/zun-escaped": b"out"})))
        assert not escaped()


def escaped() -> bool:
    """Whether the file of the test is on the host."""
    return any(Path(folder, "zun-escaped").exists() for folder in ("/tmp", "/", "/root"))  # noqa: S108


@contextlib.contextmanager
def held(wire: Wire) -> Iterator[Wire]:
    """A wire whose silence ends the test."""
    wire.sock.settimeout(PATIENCE)
    with wire.sock:
        yield wire


def until(wire: Wire, word: bytes) -> bytes:
    """What is said up to a word."""
    heard = b""
    while word not in heard and (piece := wire.sock.recv(65_536)):
        heard += wire.decode(piece)
    return heard


def rest(wire: Wire) -> bytes:
    """What is said up to the end."""
    heard = b""
    while piece := wire.sock.recv(65_536):
        heard += wire.decode(piece)
    return heard


def packed(files: dict[str, bytes]) -> list[bytes]:
    """A tar archive in pieces."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    data = whole.getvalue()
    return [data[at : at + 65_536] for at in range(0, len(data), 65_536)]


def unpacked(pieces: Iterator[bytes]) -> dict[str, bytes]:
    """The files of a tar archive."""
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
        return {member.name: content.read() for member in tar.getmembers() if (content := tar.extractfile(member)) is not None}


def fails(call: Callable[[], object], error: type[Exception]) -> bool:
    """Whether it raises that."""
    try:
        call()
    except error:
        return True
    return False
