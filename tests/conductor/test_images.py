"""Which account opens what, and who is told it; commits, and what takes their place."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from msgspec.structs import replace

from tests.world import ME, World
from zun import errors
from zun.conductor.images import located
from zun.domain.action import Action, ActionState, Caller
from zun.domain.host_image import Image, ImageState, own_name
from zun.domain.lifecycle import Status
from zun.domain.registry import Registry
from zun.interfaces.runtime import EngineImage

YOU = Caller(user_id="you", project_id="yours", request_id="req-2")
DOMAIN = "registry.example"
WEB = f"{DOMAIN}/team/web:1"
DIGEST = "sha256:" + "a" * 64


@pytest.fixture
def account(world: World) -> Registry:
    engine = world.engines["one"]
    engine.registry[WEB] = EngineImage(id="sha256:web", architecture="amd64", digests={f"{DOMAIN}/team/web": DIGEST})
    engine.accounts[DOMAIN] = ("robot", "sesame")
    return world.registries.create(ME, {"domain": DOMAIN, "name": "ours", "username": "robot", "password": "sesame"})


def images(world: World) -> list[Image]:
    with world.store.read() as tx:
        return tx.find(Image)


def test_a_container_is_pulled_with_the_account_of_its_registry(world: World, account: Registry) -> None:
    container = world.create(image="team/web:1", registry="ours", image_pull_policy="always")
    assert (container.status, container.registry_id, container.image_digest) == (Status.RUNNING, account.uuid, DIGEST)
    assert list(world.engines["one"].shown) == [(DOMAIN, ("robot", "sesame"))]
    for action in world.actions():
        assert "sesame" not in repr(action)


def test_without_its_name_no_account_is_shown(world: World, account: Registry) -> None:
    container = world.create(image=WEB, image_pull_policy="always")
    assert container.status is Status.ERROR and "no basic auth" in container.status_reason
    assert list(world.engines["one"].shown) == [(DOMAIN, None)]


def test_another_project_cannot_name_it(world: World, account: Registry) -> None:
    for asked in ("ours", account.uuid):
        with pytest.raises(errors.RegistryNotFound):
            world.create(image="team/web:1", registry=asked, caller=YOU)


def test_only_the_host_that_has_the_work_in_hand_is_told_what_opens_a_registry(world: World, account: Registry) -> None:
    container = world.create(image="team/web:1", registry="ours", settle=False)
    (action,) = world.actions()
    with world.store.read() as tx:
        life = next(iter(tx.find(Action, {"uuid": action.uuid})))
    for host, epoch, asked in (("one", "e", action.uuid), ("two", "e", action.uuid), ("one", "e", str(uuid.uuid4()))):
        with pytest.raises(errors.RegistryNotFound):
            world.desk.registry(host, epoch, asked, account.uuid)
    with world.store.write() as tx:
        import msgspec

        tx.save(msgspec.structs.replace(life, host="one", epoch="e", state=ActionState.CLAIMED))
    assert world.desk.registry("one", "e", action.uuid, account.uuid).credentials.password == "sesame"
    other = world.registries.create(ME, {"domain": "other.example", "username": "u", "password": "p"})
    with pytest.raises(errors.RegistryNotFound):
        world.desk.registry("one", "e", action.uuid, other.uuid)
    with pytest.raises(errors.RegistryNotFound):
        world.desk.registry("one", "another life", action.uuid, account.uuid)
    assert container is not None


def test_a_registry_that_is_used_stays(world: World, account: Registry) -> None:
    container = world.create(image="team/web:1", registry="ours")
    with pytest.raises(errors.RegistryInUse):
        world.registries.delete(account)
    world.delete(container, stop=True)
    world.registries.delete(account)


def test_another_domain_needs_another_password(world: World, account: Registry) -> None:
    with pytest.raises(errors.InvalidValue, match="password"):
        world.registries.update(account, {"domain": "evil.example"})
    changed = world.registries.update(account, {"domain": "new.example", "password": "new"})
    assert changed.domain == "new.example"
    bare = world.registries.create(ME, {"domain": "bare.example"})
    assert world.registries.update(bare, {"domain": "barer.example"}).domain == "barer.example"


def test_an_image_for_another_machine_is_refused_by_both_names(world: World, account: Registry) -> None:
    engine = world.engines["one"]
    engine.registry["docker.io/library/far:latest"] = EngineImage(id="sha256:far", architecture="arm64")
    container = world.create(image="far", image_pull_policy="always")
    assert container.status is Status.ERROR
    assert "built for arm64" in container.status_reason and "amd64" in container.status_reason
    assert not engine.things


def test_a_newer_commit_of_a_name_takes_the_place_of_the_older_one(world: World) -> None:
    container = world.create()
    first = world.images.commit(ME, container, "mine", "1")
    world.settle()
    second = world.images.commit(ME, container, "mine", "1")
    world.settle()
    assert [(image.uuid, image.status) for image in images(world)] == [(second.uuid, ImageState.AVAILABLE)]
    assert own_name(first.uuid) not in world.engines["one"].images
    made = world.create(image="mine:1")
    assert (made.status, made.image_uuid, made.image) == (Status.RUNNING, second.uuid, "mine:1")
    world.images.commit(ME, container, "mine", "1")
    world.settle()
    assert len(images(world)) == 2, "what a container is made of stays"


def test_a_commit_is_its_projects_alone(world: World) -> None:
    world.images.commit(ME, world.create(), "busybox", None)
    world.settle()
    assert world.create(image="busybox").image_uuid is not None
    assert world.create(image="busybox", caller=YOU).image_uuid is None
    assert world.create(image="docker.io/library/busybox").image_uuid is None


def test_an_image_in_use_is_not_deleted(world: World) -> None:
    world.images.commit(ME, world.create(), "mine", None)
    world.settle()
    (image,) = images(world)
    made = world.create(image="mine")
    with pytest.raises(errors.ImageInUse):
        world.images.delete(ME, image)
    world.delete(made, stop=True)
    world.images.delete(ME, image)
    world.settle()
    assert not images(world)


class Meanwhile:
    """A transaction in which, once an image is held, it turns out that somebody was quicker."""

    def __init__(self, tx: Any, status: ImageState | None) -> None:
        self._tx, self._status = tx, status

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)

    def get(self, entity: type, uuid: str) -> Any:
        found = self._tx.get(entity, uuid)
        if entity is not Image:
            return found
        return None if self._status is None else replace(found, status=self._status)


@pytest.mark.parametrize("status", [None, ImageState.DELETING])
def test_an_image_that_is_deleted_while_it_is_chosen_is_looked_for_again(world: World, status: ImageState | None) -> None:
    source = world.create()
    world.images.commit(ME, source, "mine", None)
    world.settle()
    container = replace(source, image="mine", uuid="new")
    with world.store.write() as tx, pytest.raises(errors.StaleRow):
        located(Meanwhile(tx, status), world.sandbox(source), container, None)


def test_of_several_accounts_a_commit_goes_with_its_container_s_own_or_else_the_oldest(world: World, account: Registry) -> None:
    second = world.registries.create(ME, {"domain": DOMAIN, "name": "second", "username": "robot", "password": "sesame"})
    world.registries.create(ME, {"domain": "other.example", "username": "robot", "password": "of the other"})
    theirs = world.create(image="team/web:1", registry="second", image_pull_policy="always")
    assert world.images.commit(ME, theirs, f"{DOMAIN}/team/new", "1").registry_id == second.uuid
    assert world.images.commit(ME, world.create(), f"{DOMAIN}/team/new", "2").registry_id == account.uuid
    assert world.images.commit(ME, theirs, "nowhere.example/team/new", "1").registry_id is None


def test_a_registry_that_an_image_was_brought_from_stays(world: World, account: Registry) -> None:
    image = world.images.pull(ME, WEB, "one", "ours")
    world.settle()
    with pytest.raises(errors.RegistryInUse):
        world.registries.delete(account)
    world.images.delete(ME, image)
    world.settle()
    world.registries.delete(account)


def test_an_account_is_never_for_an_image_of_another_registry(world: World, account: Registry) -> None:
    before = world.rows()
    for image in ("evil.example/team/web:1", f"{DOMAIN}.evil.example/web", f"{DOMAIN}:5000/web", "docker.io/library/web"):
        with pytest.raises(errors.InvalidValue, match="registry"):
            world.create(image=image, registry="ours", settle=False)
        with pytest.raises(errors.InvalidValue, match="registry"):
            world.images.pull(ME, image, "one", "ours")
    assert world.rows() == before


def test_a_rebuild_of_another_image_lets_go_of_the_one_that_was_made_of_a_container(world: World) -> None:
    world.images.commit(ME, world.create(), "mine", None)
    world.settle()
    (image,) = images(world)
    made = world.create(image="mine")
    assert made.image_uuid == image.uuid
    # a name that says its registry is never one that was made of a container
    after = world.do("rebuild", made, image="docker.io/library/busybox")
    assert after is not None and (after.status, after.image_uuid) == (Status.RUNNING, None)
    world.images.delete(ME, image)
    world.settle()
    assert not images(world)


def test_an_image_is_not_deleted_while_it_is_made(world: World) -> None:
    image = world.images.commit(ME, world.create(), "mine", None)
    with pytest.raises(errors.ImageBusy):
        world.images.delete(ME, image)


def test_progress_of_work_that_is_not_in_hand_changes_nothing(world: World) -> None:
    from zun.domain.action import StepEvent

    container = world.create()
    (action,) = world.actions(container)
    world.desk.progress("one", action.epoch or "", action.uuid, StepEvent(event="compute__late", start_time=world.clock()))
    assert world.actions(container) == [action]


def test_containers_of_a_capsule_name_registries_and_have_digests(world: World, account: Registry) -> None:
    private, public = world.create_capsule({"image": "team/web:1", "registry": "ours", "image_pull_policy": "always"}, {})
    assert (private.status, private.registry_id, private.image_digest) == (Status.RUNNING, account.uuid, DIGEST)
    assert (public.registry_id, public.image_digest) == (None, None)
    assert list(world.engines["one"].shown) == [(DOMAIN, ("robot", "sesame"))]
    added = world.accept.add_container(ME, world.sandbox(private), {"image": "team/web:1", "registry": account.uuid})
    world.settle()
    assert world.container(added.uuid).image_digest == DIGEST
    with pytest.raises(errors.RegistryInUse):
        world.registries.delete(account)


def test_a_registry_of_another_project_is_none_for_a_capsule(world: World, account: Registry) -> None:
    before = world.rows()
    with pytest.raises(errors.RegistryNotFound):
        world.create_capsule({}, {"image": "team/web:1", "registry": "theirs"}, settle=False)
    assert world.rows() == before


def test_a_capsule_of_what_was_made_of_a_container_is_on_its_host(make_world) -> None:
    world = make_world(hosts=("one", "two"))
    source = world.create()
    world.images.commit(ME, source, "mine", "1")
    world.settle()
    plain, made = world.create_capsule({}, {"image": "mine:1"})
    assert (made.host, made.status, made.image_uuid is None, plain.image_uuid) == (source.host, Status.RUNNING, False, None)
    elsewhere = "two" if source.host == "one" else "one"
    with pytest.raises(errors.InvalidValue, match="another host"):
        world.create_capsule({}, {"image": "mine:1"}, requested_host=elsewhere)


def test_a_container_of_a_capsule_is_made_into_an_image(world: World) -> None:
    first, _ = world.create_capsule({}, {})
    world.images.commit(ME, first, "mine", None)
    world.settle()
    assert [row.status for row in images(world)] == [ImageState.AVAILABLE]
    added = world.accept.add_container(ME, world.sandbox(first), {"image": "mine"})
    world.settle()
    assert (world.container(added.uuid).status, world.container(added.uuid).image_uuid) == (Status.RUNNING, images(world)[0].uuid)
