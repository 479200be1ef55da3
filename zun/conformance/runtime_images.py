"""What a driver promises of images that are made of containers, sent, removed, searched for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from zun import errors
from zun.conformance.runtime_bench import WAITS, Bench, RuntimeFixtures, new_uuid
from zun.domain.host_image import own_name
from zun.domain.lifecycle import EngineState
from zun.interfaces.runtime import ContainerSpec, Runtime

#: a registry that nobody runs
NOWHERE = "127.0.0.1:1"


class ImageConformance(RuntimeFixtures):
    """Images."""

    @pytest.fixture
    def own(self, runtime: Runtime, bench: Bench) -> Iterator[Callable[[], str]]:
        """Makes names of the service's own; what bears one is removed when the test is over."""
        made: list[str] = []

        def name() -> str:
            made.append(own_name(new_uuid()))
            return made[-1]

        yield name
        for sandbox in {seen.sandbox_uuid for seen in runtime.scan()}:
            runtime.remove_sandbox(sandbox)
        for each in made:
            runtime.remove_image(each)

    def test_an_image_is_made_of_a_container_that_goes_on(self, bench: Bench, own: Callable[[], str]) -> None:
        uuid, name = bench.running(WAITS), own()
        held = bench.runtime.commit(uuid, name)
        assert bench.runtime.image(name) == held
        assert bench.state(uuid).state is EngineState.RUNNING
        other = new_uuid()
        spec = ContainerSpec(uuid=other, sandbox_uuid=bench.sandbox(), name="c", image=held.id, command=WAITS)
        bench.runtime.ensure_container(spec)
        assert bench.runtime.start(other).state is EngineState.RUNNING
        # What an engine knows of the first one must not have gone over into the second.
        assert {seen.container_uuid for seen in bench.runtime.scan()} == {uuid, other, None}

    def test_an_image_is_made_of_a_container_that_has_ended(self, bench: Bench, own: Callable[[], str]) -> None:
        uuid, name = bench.running(WAITS), own()
        bench.runtime.stop(uuid)
        bench.runtime.commit(uuid, name)
        assert bench.state(uuid).state is EngineState.EXITED

    def test_a_frozen_container_stays_frozen(self, bench: Bench, own: Callable[[], str]) -> None:
        uuid, name = bench.running(WAITS), own()
        bench.runtime.pause(uuid)
        bench.runtime.commit(uuid, name)
        assert bench.state(uuid).state is EngineState.PAUSED
        bench.runtime.unpause(uuid)

    def test_done_again_the_newer_one_has_the_name(self, bench: Bench, own: Callable[[], str]) -> None:
        name = own()
        bench.runtime.commit(bench.running(WAITS), name)
        second = bench.runtime.commit(bench.running(WAITS), name)
        assert bench.runtime.image(name) == second

    def test_of_nothing_no_image_is_made(self, bench: Bench, own: Callable[[], str]) -> None:
        with pytest.raises(errors.NoSuchObject):
            bench.runtime.commit(new_uuid(), own())

    def test_an_image_is_removed_and_may_be_gone_already(self, bench: Bench, own: Callable[[], str]) -> None:
        name = own()
        bench.runtime.commit(bench.running(WAITS), name)
        for _ in range(2):
            bench.runtime.remove_image(name)
            assert bench.runtime.image(name) is None

    def test_an_image_that_a_container_is_made_of_is_not_removed(self, bench: Bench, own: Callable[[], str]) -> None:
        name = own()
        held = bench.runtime.commit(bench.running(WAITS), name)
        spec = ContainerSpec(uuid=new_uuid(), sandbox_uuid=bench.sandbox(), name="c", image=held.id, command=WAITS)
        bench.runtime.ensure_container(spec)
        with pytest.raises(errors.ImageInUse):
            bench.runtime.remove_image(name)
        assert bench.runtime.image(name) == held

    def test_what_was_saved_can_be_loaded(self, bench: Bench, own: Callable[[], str]) -> None:
        name = own()
        bench.runtime.commit(bench.running(WAITS), name)
        archive = list(bench.runtime.save(name))
        bench.runtime.remove_image(name)
        assert bench.runtime.image(name) is None
        held = bench.runtime.load(iter([b"", *archive]), name)
        assert bench.runtime.image(name) == held
        uuid = new_uuid()
        spec = ContainerSpec(uuid=uuid, sandbox_uuid=bench.sandbox(), name="c", image=held.id, command=WAITS)
        bench.runtime.ensure_container(spec)
        assert bench.runtime.start(uuid).state is EngineState.RUNNING

    def test_an_archive_that_is_broken_off_makes_no_image(self, bench: Bench, own: Callable[[], str]) -> None:
        name = own()
        bench.runtime.commit(bench.running(WAITS), name)
        whole = b"".join(bench.runtime.save(name))
        bench.runtime.remove_image(name)

        def breaks_off() -> Iterator[bytes]:
            yield whole[: len(whole) // 2]
            raise errors.Cancelled

        with pytest.raises(errors.Cancelled):
            bench.runtime.load(breaks_off(), name)
        assert bench.runtime.image(name) is None

    def test_what_is_no_archive_of_images_is_refused(self, bench: Bench, own: Callable[[], str]) -> None:
        name = own()
        with pytest.raises(errors.EngineError):
            bench.runtime.load(iter([b"this is no archive" * 100]), name)
        assert bench.runtime.image(name) is None

    def test_of_nothing_there_is_no_archive(self, bench: Bench, own: Callable[[], str]) -> None:
        with pytest.raises(errors.NoSuchObject):
            bench.runtime.save(own())

    def test_images_are_listed_by_where_their_names_begin(self, bench: Bench, own: Callable[[], str]) -> None:
        name = own()
        held = bench.runtime.commit(bench.running(WAITS), name)
        repository = name.rpartition(":")[0]
        for under in (repository, repository.rpartition("/")[0]):
            assert (name, held.id) in [(each.name, each.id) for each in bench.runtime.images(under)]
        assert bench.runtime.images(repository[:-1]) == []
        bench.runtime.remove_image(name)
        assert bench.runtime.images(repository) == []

    def test_a_push_that_cannot_succeed_says_so_and_leaves_no_name_behind(self, bench: Bench, own: Callable[[], str]) -> None:
        name, target = own(), f"{NOWHERE}/nothing/here:1"
        bench.runtime.commit(bench.running(WAITS), name)
        with pytest.raises(errors.ImagePushFailed):
            bench.runtime.push(name, target)
        assert bench.runtime.image(target) is None
        with pytest.raises(errors.ImagePushFailed):
            bench.runtime.push(own_name(new_uuid()), target)

    def test_a_search_that_cannot_succeed_says_so(self, runtime: Runtime) -> None:
        with pytest.raises(errors.ImageSearchFailed):
            runtime.search_images(f"{NOWHERE}/web", 10)

    def test_it_says_what_its_programs_are_built_for(self, runtime: Runtime) -> None:
        assert runtime.capabilities().architecture in ("amd64", "arm64")
