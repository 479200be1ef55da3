"""Archives on their way to an engine: what comes of good ones, and that bad ones make no image."""

from __future__ import annotations

import gzip
import json
import tarfile
from collections.abc import Iterator

import pytest

from tests.image_archives import LAYER, config, docker, link, manifest, oci, pieces, sha256, tar, untar
from zun.drivers.image import archive
from zun.drivers.image.archive import one_image
from zun.drivers.image.manifest import BadArchive, Foreign

NAME = "zun.invalid/glance/one:two"
LIMIT = 1 << 20


def rewritten(data: bytes, *, host: str = "amd64", limit: int = LIMIT, size: int = 1000) -> dict[str, bytes]:
    return untar(b"".join(one_image(pieces(data, size), NAME, limit=limit, host=host)))


def image(files: dict[str, bytes]) -> tuple[dict, list[bytes]]:
    """The configuration and the layers of the one image that an engine would find."""
    (listed,) = json.loads(files["manifest.json"])
    assert listed["RepoTags"] == [NAME]
    return json.loads(files[listed["Config"]]), [files[layer] for layer in listed["Layers"]]


def refused(data: bytes, **more) -> str:
    """Why an archive is refused; the engine has not got what would make an image of it."""
    got = b""
    with pytest.raises(BadArchive) as raised:
        for piece in one_image(pieces(data), NAME, **{"limit": LIMIT, "host": "amd64", **more}):
            got += piece
    assert b"manifest.json" not in got
    return str(raised.value)


@pytest.mark.parametrize("size", [1, 511, 512, 100_000])
def test_a_docker_archive_keeps_its_image_and_loses_its_names(size: int) -> None:
    files = rewritten(docker(tags=["busybox:latest", "other/one:2"]), size=size)
    settings, layers = image(files)
    assert (settings["architecture"], layers) == ("amd64", [LAYER])
    assert all(name == "manifest.json" or name.isdecimal() for name in files)


@pytest.mark.parametrize("compressed", [True, False])
def test_an_oci_layout_becomes_a_docker_archive(compressed: bool) -> None:
    _, (layer,) = image(rewritten(oci(compressed=compressed)))
    assert (gzip.decompress(layer) if compressed else layer) == LAYER


def test_of_several_machines_the_hosts_is_taken() -> None:
    settings, _ = image(rewritten(oci("s390x", "amd64", "arm64"), host="arm64"))
    assert settings["architecture"] == "arm64"
    settings, _ = image(rewritten(oci("386", "amd64")))
    assert settings["architecture"] == "amd64"


@pytest.mark.parametrize("data", [oci("arm64", "s390x"), docker(architecture="arm64")])
def test_what_is_built_for_other_machines_is_none(data: bytes) -> None:
    with pytest.raises(Foreign) as raised:
        rewritten(data)
    assert "arm64" in raised.value.built


def test_an_archive_may_be_compressed_as_a_whole() -> None:
    assert image(rewritten(gzip.compress(docker())))[1] == [LAYER]
    # As tools write it that compress in parts.
    data = docker()
    assert image(rewritten(gzip.compress(data[:3000]) + gzip.compress(data[3000:])))[1] == [LAYER]


def test_layers_that_are_links_are_followed_within_the_archive() -> None:
    files = {"a/layer.tar": LAYER, "b/layer.tar": link("b/layer.tar", "../a/layer.tar")}
    data = tar({**files, "config.json": config(LAYER, LAYER), "manifest.json": manifest("config.json", "a/layer.tar", "b/layer.tar")})
    assert image(rewritten(data))[1] == [LAYER, LAYER]


# --- hostile ones --------------------------------------------------------------------------------


def test_of_two_manifests_the_later_counts_and_neither_reaches_the_engine() -> None:
    evil = manifest("/etc/shadow", tags=["busybox:latest"])
    data = tar({"manifest.json": evil, "./manifest.json": manifest(), "layer.tar": LAYER, "config.json": config()})
    files = rewritten(data)
    assert image(files)[1] == [LAYER]
    assert evil not in [content for name, content in files.items() if name == "manifest.json"]


@pytest.mark.parametrize("path", ["/etc/passwd", "../../etc/passwd", "a/../../x"])
def test_no_path_of_an_archive_is_ever_a_path_of_the_engines(path: str) -> None:
    data = tar({path: LAYER, "config.json": config(), "manifest.json": manifest("config.json", path)})
    try:
        files = rewritten(data)
    except BadArchive:
        return
    assert all(name == "manifest.json" or name.isdecimal() for name in files)


def test_links_that_lead_out_lead_nowhere() -> None:
    for kind, target in ((tarfile.SYMTYPE, "/etc/passwd"), (tarfile.SYMTYPE, "../../../etc/passwd"), (tarfile.LNKTYPE, "/etc/passwd")):
        data = tar({"layer.tar": link("layer.tar", target, kind), "config.json": config(), "manifest.json": manifest()})
        assert "lacks layer 1" in refused(data)


def test_a_layer_that_is_only_named_is_not_had() -> None:
    """An engine takes a layer that it has for one that it is told of: another tenant's."""
    theirs = b"another tenant's secrets"
    data = tar({"layer.tar": b"", "config.json": config(theirs), "manifest.json": manifest()})
    assert "another layer 1" in refused(data)
    without = tar({"config.json": config(theirs), "manifest.json": json.dumps([{"Config": "config.json", "Layers": []}]).encode()})
    assert "other layers" in refused(without)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (tar({"file": b"x"}), "neither Docker's"),
        (tar({"manifest.json": b"[]"}), "just one image"),
        (tar({"manifest.json": json.dumps([{}, {}]).encode()}), "just one image"),
        (tar({"manifest.json": b'[{"Config": 7, "Layers": []}]'}), "says nothing"),
        (tar({"manifest.json": manifest(), "layer.tar": LAYER}), "lacks the configuration"),
        (tar({"manifest.json": manifest(), "config.json": b"[1]", "layer.tar": LAYER}), "lacks the configuration"),
        (tar({"index.json": b'{"manifests": []}'}), "just one image"),
        (tar({"index.json": b'{"manifests": [{"digest": "sha256:x"}]}'}), "lacks the manifest"),
        (tar({"index.json": b'{"manifests": [{"digest": "../../etc"}]}'}), "without a digest"),
        (oci("amd64", "amd64")[:3000], "cannot be read"),
        (docker()[:1200], "middle of a file"),
        (b"no archive at all" * 100, "cannot be read"),
        (b"", "cannot be read"),
        (gzip.compress(docker())[:-20], "middle"),
        (b"\x1f\x8bnothing that is compressed", "cannot be read"),
    ],
)
def test_what_is_no_archive_of_one_image_is_refused_in_words(data: bytes, why: str) -> None:
    assert why in refused(data)


def test_an_index_that_leads_in_circles_ends() -> None:
    again = json.dumps({"manifests": [{"digest": "sha256:again"}]}).encode()
    assert "from index to index" in refused(tar({"index.json": again, "blobs/sha256/again": again}))


def test_no_more_is_unpacked_than_there_may_be() -> None:
    bomb = gzip.compress(b"\0" * (8 << 20))
    layered = tar({"layer.tar": bomb, "config.json": config(b"\0" * (8 << 20)), "manifest.json": manifest()})
    for data in (layered, gzip.compress(layered), gzip.compress(tar({"layer.tar": b"\0" * (8 << 20)}))):
        assert "more than 1048576 bytes" in refused(data)


def test_no_more_files_are_read_than_an_image_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_FILES", 3)
    assert "more than 3 files" in refused(tar({str(number): b"" for number in range(4)}))


def test_a_header_without_an_end_is_not_held_in_memory() -> None:
    entry = tarfile.TarInfo("x" * 200)
    head = bytearray(entry.tobuf(tarfile.GNU_FORMAT)[:512])
    head[124:136] = b"77777777777\0"
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    assert "header" in refused(bytes(head) + b"x" * 100_000, limit=1 << 40)


def test_a_chain_of_headers_ends() -> None:
    entry = tarfile.TarInfo("x" * 200).tobuf(tarfile.GNU_FORMAT)[:1024]
    assert refused(entry * 5000, limit=1 << 30)


def test_who_holds_back_the_end_holds_back_the_image() -> None:
    def no() -> None:
        raise RuntimeError("not this one")

    got = b""
    with pytest.raises(RuntimeError):
        for piece in one_image(pieces(docker()), NAME, limit=LIMIT, verify=no):
            got += piece
    assert b"manifest.json" not in got


def test_all_has_come_when_it_is_verified() -> None:
    data, seen = docker() + b"\0" * 50_000, []

    def counted() -> Iterator[bytes]:
        for piece in pieces(data):
            seen.append(len(piece))
            yield piece

    def all_of_it() -> None:
        assert sum(seen) == len(data)

    list(one_image(counted(), NAME, limit=LIMIT, verify=all_of_it))
    assert sha256(LAYER)
