"""What an image driver must do: subclass :class:`ImagesSuite` and provide its fixtures."""

from __future__ import annotations

import pytest

from zun import errors
from zun.interfaces.images import Images, Source, Target
from zun.interfaces.runtime import EngineImage, Progress


class Shop:
    """What the suite needs of whoever has the images, and of the engine that they come to, which runs programs for amd64."""

    def offer(self, architecture: str = "amd64") -> Source:
        """Have an image that was never had before."""
        raise NotImplementedError

    def nothing(self) -> Source:
        """What is asked for by who asks for an image that is nowhere."""
        raise NotImplementedError

    def leave(self) -> None:
        """Answer nobody any more."""
        raise NotImplementedError

    def made(self) -> str:
        """Have the engine make an image of a container. Returns the engine's name for it."""
        raise NotImplementedError

    def target(self) -> Target:
        """A place where there is no image yet."""
        raise NotImplementedError

    def sent(self, target: Target) -> Source | None:
        """The image that was sent there, if there is one."""
        raise NotImplementedError


def silent(told: Progress) -> None:
    """The progress callback of who does not care."""


def give_up(told: Progress) -> None:
    """The progress callback of who does not want it any more."""
    raise errors.Cancelled


class ImagesSuite:
    """Fixtures: ``images`` (the driver), ``shop``."""

    @pytest.mark.parametrize("policy", ["always", "ifnotpresent"])
    def test_what_is_not_there_is_fetched(self, images: Images, shop: Shop, policy: str) -> None:
        wanted = shop.offer()
        assert images.held(wanted) is None
        brought = images.ensure(wanted, policy, silent)
        assert brought.image == images.held(wanted)
        assert brought.image.architecture == "amd64"

    @pytest.mark.parametrize("policy", ["always", "ifnotpresent", "never"])
    def test_what_is_there_is_the_same_whatever_the_policy(self, images: Images, shop: Shop, policy: str) -> None:
        wanted = shop.offer()
        first = images.ensure(wanted, "always", silent)
        assert images.ensure(wanted, policy, silent) == first

    def test_what_must_be_there_is_not_fetched(self, images: Images, shop: Shop) -> None:
        wanted = shop.offer()
        with pytest.raises(errors.ImagePullFailed, match="never"):
            images.ensure(wanted, "never", silent)
        assert images.held(wanted) is None

    def test_two_images_are_two(self, images: Images, shop: Shop) -> None:
        one, other = (images.ensure(shop.offer(), "always", silent).image for _ in range(2))
        assert one.id != other.id

    def test_what_is_nowhere_cannot_be_had(self, images: Images, shop: Shop) -> None:
        with pytest.raises(errors.ImagePullFailed):
            images.ensure(shop.nothing(), "always", silent)

    def test_where_nobody_answers_nothing_is_made(self, images: Images, shop: Shop) -> None:
        wanted = shop.offer()
        shop.leave()
        with pytest.raises((errors.ImagePullFailed, errors.ImageServiceUnavailable)):
            images.ensure(wanted, "always", silent)
        assert images.held(wanted) is None

    def test_who_gives_up_has_nothing(self, images: Images, shop: Shop) -> None:
        wanted = shop.offer()
        with pytest.raises(errors.Cancelled):
            images.ensure(wanted, "always", give_up)
        assert images.held(wanted) is None

    def test_what_the_host_does_not_run_is_refused_in_words(self, images: Images, shop: Shop) -> None:
        with pytest.raises(errors.WrongArchitecture, match="s390x"):
            images.ensure(shop.offer("s390x"), "always", silent)

    def test_an_unknown_policy_is_a_fault_of_ours(self, images: Images, shop: Shop) -> None:
        with pytest.raises(ValueError, match="sometimes"):
            images.ensure(shop.offer(), "sometimes", silent)

    def test_what_was_made_here_can_be_had_from_there(self, images: Images, shop: Shop) -> None:
        target, made = shop.target(), shop.made()
        assert shop.sent(target) is None
        digest = images.push(made, target, silent)
        assert images.push(made, target, silent) == digest
        wanted = shop.sent(target)
        assert wanted is not None
        assert isinstance(images.ensure(wanted, "always", silent).image, EngineImage)

    def test_what_was_not_sent_wholly_is_taken_away(self, images: Images, shop: Shop) -> None:
        target, made = shop.target(), shop.made()
        with pytest.raises(errors.Cancelled):
            images.push(made, target, give_up)
        for _ in range(2):
            images.unpush(target)
        assert shop.sent(target) is None

    def test_what_has_all_its_data_is_not_given_up(self, images: Images, shop: Shop) -> None:
        target = shop.target()
        images.push(shop.made(), target, silent)
        assert images.begun([target.uuid, "nobody"]) == []
        images.give_up(target.uuid)
        assert shop.sent(target) is not None

    def test_what_is_not_there_cannot_be_sent(self, images: Images, shop: Shop) -> None:
        target = shop.target()
        with pytest.raises(errors.ImagePushFailed):
            images.push("zun.invalid/commit/nothing:latest", target, silent)
        images.unpush(target)
        assert shop.sent(target) is None

    def test_what_is_not_there_is_removed_already(self, images: Images) -> None:
        images.remove("zun.invalid/commit/nothing:latest")
