"""The one user of the embedded service: a password made at first start, and the ``clouds.yaml`` entry with which clients use it.

The state folder keeps what belongs to the service: ``password`` (the secret, so that a second user's ``clouds.yaml`` can get an entry
too), ``htpasswd`` (what oslo.middleware reads) and ``clouds-files`` (which files carry our entry, so that :func:`remove` finds them).

A ``clouds.yaml`` belongs to its user. Our entry is a block of lines between two comments that name the state folder; everything else
in the file stays as it is, byte by byte. A file in which that cannot be done with certainty is not touched.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bcrypt
import yaml

USER = "admin"
#: Tried in this order for the name of our entry; a foreign entry keeps its name.
CLOUD_NAMES = ("zun", "zun-embedded", *(f"zun-embedded-{number}" for number in range(2, 100)))
#: bcrypt's lowest cost: 0.9 ms a check on the machine it was chosen on (cost 12: 220 ms, for every request). A high cost slows down the
#: guessing of passwords that people make up; 256 random bits cannot be guessed at any speed.
BCRYPT_COST = 4


class CloudsFileError(Exception):
    """The file cannot be changed without risk. Says why, and what to do by hand."""


@dataclass(frozen=True, slots=True)
class Ensured:
    """What :func:`ensure` made or found. ``cloud`` is None when ``clouds.yaml`` was not touched; ``note`` says then why."""

    htpasswd: Path
    cloud: str | None
    clouds_file: Path
    note: str | None = None


def clouds_path(environment: Mapping[str, str]) -> Path:
    """Where the client looks first for its clouds: $OS_CLIENT_CONFIG_FILE, else ~/.config/openstack/clouds.yaml."""
    given = environment.get("OS_CLIENT_CONFIG_FILE")
    if given:
        return Path(given)
    home = environment.get("HOME")
    return (Path(home) if home else Path.home()) / ".config" / "openstack" / "clouds.yaml"


def ensure(state_dir: Path, endpoint: str, clouds_file: Path) -> Ensured:
    """Make the password, ``htpasswd`` and the ``clouds.yaml`` entry for ``endpoint`` (``http://127.0.0.1:9517/v1``), or find them.

    Repeating it changes nothing. A service must be able to start without its user's file, so trouble with that file is told in
    :attr:`Ensured.note`, not raised. Raises OSError for trouble with the state folder.
    """
    password = _password(state_dir)
    htpasswd = _htpasswd(state_dir, password)
    try:
        cloud = _ensure_entry(state_dir, endpoint, password, clouds_file)
    except (CloudsFileError, OSError, UnicodeDecodeError) as cause:
        return Ensured(htpasswd, None, clouds_file, f"{clouds_file} was left as it is: {cause}")
    note = None if cloud == CLOUD_NAMES[0] else f"{clouds_file} has an entry '{CLOUD_NAMES[0]}' of somebody else; ours is '{cloud}'."
    return Ensured(htpasswd, cloud, clouds_file, note)


def remove(state_dir: Path) -> list[str]:
    """Take our entry out of every file that carries it, with the file and its folders where we made them and nothing else is in them.

    May be repeated. Returns a sentence for each file that could not be changed.
    """
    troubles = []
    for path in _recorded(state_dir):
        try:
            if path.is_dir():
                with contextlib.suppress(OSError):  # somebody keeps something there
                    path.rmdir()
            else:
                _remove_entry(state_dir, path)
        except (CloudsFileError, OSError, UnicodeDecodeError) as cause:
            troubles.append(f"{path} was left as it is: {cause}")
    return troubles


# --- the state folder ----------------------------------------------------------------------------


def _password(state_dir: Path) -> str:
    path = state_dir / "password"
    with contextlib.suppress(FileNotFoundError):
        found = path.read_text().strip()
        if found:
            return found
    password = secrets.token_urlsafe(32)
    _write(path, password + "\n")
    return password


def _htpasswd(state_dir: Path, password: str) -> Path:
    """Our user's line is made anew when it does not fit the password; other users' lines stay."""
    path = state_dir / "htpasswd"
    lines = path.read_text().splitlines() if path.exists() else []
    ours = [line for line in lines if line.startswith(f"{USER}:")]
    if len(ours) == 1 and _fits(password, ours[0].partition(":")[2]):
        return path
    digest = bcrypt.hashpw(password.encode(), bcrypt.gensalt(BCRYPT_COST)).decode()
    others = [line for line in lines if line not in ours]
    _write(path, "\n".join([f"{USER}:{digest}", *others]) + "\n")
    return path


def _fits(password: str, digest: str) -> bool:
    try:
        return bcrypt.checkpw(password.encode(), digest.strip().encode())
    except ValueError:
        return False


def _recorded(state_dir: Path) -> list[Path]:
    """Files with our entry, each followed by the folders that were made for it, the innermost first."""
    record = state_dir / "clouds-files"
    return [Path(line) for line in record.read_text().splitlines()] if record.exists() else []


def _record(state_dir: Path, paths: Sequence[Path]) -> None:
    known = _recorded(state_dir)
    new = [path for path in paths if path not in known]
    if new:
        _write(state_dir / "clouds-files", "".join(f"{path}\n" for path in [*known, *new]))


# --- clouds.yaml ---------------------------------------------------------------------------------


def _ensure_entry(state_dir: Path, endpoint: str, password: str, path: Path) -> str:
    path = path.absolute()
    text = path.read_text() if path.exists() else ""
    foreign_text = _without_block(text, state_dir)
    foreign = _clouds(foreign_text)
    name = next(name for name in CLOUD_NAMES if name not in foreign)
    entry = {"auth_type": "http_basic", "auth": {"endpoint": endpoint, "username": USER, "password": password}}
    if text != foreign_text and _clouds(text) == {**foreign, name: entry}:
        return name
    changed = _with_block(foreign_text, state_dir, name, entry)
    if _clouds(changed) != {**foreign, name: entry} or _rest(changed) != _rest(foreign_text):
        raise CloudsFileError("an entry cannot be added to it without changing others.")
    _record(state_dir, [path, *_missing_folders(path)])
    _write(path, changed)
    return name


def _remove_entry(state_dir: Path, path: Path) -> None:
    if not path.exists():
        return
    text = path.read_text()
    left = _without_block(text, state_dir)
    if left == text:
        return
    if left.strip() in ("", "clouds:"):
        path.unlink()
        return
    _clouds(left)
    _write(path, left)


def _marks(state_dir: Path) -> tuple[str, str]:
    return f"# Zun, state folder {state_dir.absolute()}: begin (kept by the service)", f"# Zun, state folder {state_dir.absolute()}: end"


def _without_block(text: str, state_dir: Path) -> str:
    begin, end = _marks(state_dir)
    lines = text.splitlines(keepends=True)
    stripped = [line.strip() for line in lines]
    if begin not in stripped and end not in stripped:
        return text
    if stripped.count(begin) != 1 or stripped.count(end) != 1 or stripped.index(begin) > stripped.index(end):
        raise CloudsFileError(f"the comments around our entry are damaged; please delete the entry and the lines '{begin}' and '{end}'.")
    return "".join(lines[: stripped.index(begin)] + lines[stripped.index(end) + 1 :])


def _with_block(text: str, state_dir: Path, name: str, entry: Mapping[str, Any]) -> str:
    line, indent = _place(text)
    lines = text.splitlines(keepends=True)
    if line is None:
        lines = [*_ended(lines), "clouds:\n"]
        line = len(lines)
    begin, end = _marks(state_dir)
    body = yaml.safe_dump({name: entry}, sort_keys=False).splitlines()
    block = [f"{' ' * indent}{content}\n" for content in (begin, *body, end)]
    return "".join([*_ended(lines[:line]), *block, *lines[line:]])


def _place(text: str) -> tuple[int | None, int]:
    """The line before which our block goes, and its indentation; no line when the file has no ``clouds`` yet."""
    root = _composed(text)
    if root is None:
        return None, 2
    pairs = root.value if isinstance(root, yaml.MappingNode) and not root.flow_style else []
    for key, value in pairs:
        if key.value != "clouds":
            continue
        if isinstance(value, yaml.ScalarNode) and value.value == "":
            return key.start_mark.line + 1, 2
        if isinstance(value, yaml.MappingNode) and value.value and not value.flow_style:
            # Directly below the key, because above the first entry may stand its comment, or another service's block.
            return key.start_mark.line + 1, value.value[0][0].start_mark.column
        break
    else:
        if pairs:
            return None, 2
    raise CloudsFileError("its 'clouds' are not written as an indented block; please add our entry by hand.")


def _composed(text: str) -> yaml.Node | None:
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as cause:
        raise CloudsFileError(f"it is not valid YAML: {str(cause).splitlines()[0]}.") from cause
    return node


def _loaded(text: str) -> dict[str, Any]:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as cause:
        raise CloudsFileError(f"it is not valid YAML: {str(cause).splitlines()[0]}.") from cause
    if document is None:
        return {}
    if not isinstance(document, dict) or not isinstance(document.get("clouds") or {}, dict):
        raise CloudsFileError("it is not a mapping with 'clouds' in it.")
    return document


def _clouds(text: str) -> dict[str, Any]:
    return dict(_loaded(text).get("clouds") or {})


def _rest(text: str) -> dict[str, Any]:
    return {key: value for key, value in _loaded(text).items() if key != "clouds"}


def _ended(lines: Sequence[str]) -> list[str]:
    """The lines, the last one with its end."""
    return [*lines[:-1], lines[-1] if lines[-1].endswith("\n") else lines[-1] + "\n"] if lines else []


# --- writing -------------------------------------------------------------------------------------


def _write(path: Path, text: str) -> None:
    """Replace the file whole or not at all; only its owner may read it. A new file belongs to whom its folder belongs."""
    target = path.resolve() if path.is_symlink() else path
    made = _missing_folders(target)
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Under sudo the folder is the caller's: what root adds to it must be the caller's too.
    owner = (target if target.exists() else (made[-1].parent if made else target.parent)).stat()
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            if os.geteuid() == 0:
                # By number, and no link followed: the folder may be in other hands than ours.
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
                for folder in made:
                    os.chown(folder, owner.st_uid, owner.st_gid, follow_symlinks=False)
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _missing_folders(path: Path) -> list[Path]:
    return [folder for folder in path.parents if not folder.exists()]


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m zun.cmd.credentials ensure|remove --state-dir DIR [--endpoint URL]``, for the quick start."""
    parser = argparse.ArgumentParser(prog="zun.cmd.credentials", description="The clouds.yaml entry of the embedded service.")
    parser.add_argument("what", choices=("ensure", "remove"))
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--endpoint", default="http://127.0.0.1:9517/v1")
    asked = parser.parse_args(arguments)
    if asked.what == "remove":
        troubles = remove(asked.state_dir)
        print(*troubles, sep="\n", end="\n" if troubles else "", file=sys.stderr)
        return 1 if troubles else 0
    ensured = ensure(asked.state_dir, asked.endpoint, clouds_path(os.environ))
    if ensured.note:
        print(ensured.note, file=sys.stderr)
    print(ensured.cloud or "")
    return 0 if ensured.cloud else 1


if __name__ == "__main__":
    sys.exit(main())
