"""The one way from a name a client gave to a file: a folder of the store and a name inside it, never a path.

Only this module opens what a client names. A name is checked as text, then resolved, then opened from the root down
without following links, so nothing outside the root is ever reached.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from jobs.hashes import Hashes
from jobs.several import INDEX, PIPELINE, parts_beside, whole

MODEL_FOLDERS = (
    "checkpoints",
    "loras",
    "vae",
    "text_encoders",
    "diffusion_models",
    "controlnet",
    "embeddings",
    "upscale_models",
    "clip_vision",
    "ipadapter",
)
WRITTEN_FOLDERS = ("input", "output", "temp", "workflows", "revisions", "drafts", "trash")
WEIGHTS = (".safetensors", ".sft")
PART = ".part"
MAX_NAME_BYTES = 255
_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.EISDIR})
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\..*)?", re.IGNORECASE)
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\\u200e\u200f\u202a-\u202e\u2066-\u2069]')


class BadName(ValueError):
    """The name can name no file of any folder; `rule` is the one it breaks."""

    def __init__(self, name: str, rule: str) -> None:
        super().__init__(f"{name[:80]!r} cannot be used as a name: {rule}")
        self.name, self.rule = name, rule


class NoSuchFile(ValueError):
    """The name is sound, but the folder has no such file (or a link there leads out of it)."""


def parts_of(name: str) -> tuple[str, ...]:
    """The folders and the file of a relative name, "/" between them. Raises BadName, saying which rule it breaks.

    The rules are those of every platform at once, so that a document means the same everywhere.
    """
    parts = tuple(name.split("/"))
    for part in parts:
        if rule := _broken_rule(part):
            raise BadName(name, rule)
    return parts


def _broken_rule(part: str) -> str | None:
    if part == "":
        return "it is empty, absolute, or has an empty part"
    if part in (".", ".."):
        return "it must not contain '.' or '..'"
    if _FORBIDDEN.search(part):
        return 'it holds a control or direction character or one of < > : " | ? * \\'
    if part.endswith((".", " ")) or part.startswith(" "):
        return "a part must not begin or end with a space, nor end with a dot"
    if part.startswith("."):
        return "a part must not begin with a dot"
    if _RESERVED.fullmatch(part):
        return f"{part!r} is reserved on Windows"
    try:
        length = len(part.encode())
    except UnicodeEncodeError:
        return "it is not Unicode text"
    return f"a part is longer than {MAX_NAME_BYTES} bytes" if length > MAX_NAME_BYTES else None


class FileStore:
    """The models folders under each of `models` (the first root that has a name wins), under `data` the folders
    "input" (uploads), "output" and "temp" (results), "workflows" (saved documents) with "revisions", "drafts" and
    "trash", and the folders `fixed` by name, which come with the program and are only read. `output` puts results
    elsewhere. `check_weights` raises ValueError for a file of the models folders that is not what it must be."""

    def __init__(
        self,
        models: Sequence[Path],
        data: Path,
        hashes: Hashes,
        fixed: Mapping[str, Sequence[Path]] | None = None,
        output: Path | None = None,
        check_weights: Callable[[Path], object] | None = None,
    ) -> None:
        self._roots: dict[str, tuple[Path, ...]] = {
            folder: tuple(root / folder for root in models) for folder in MODEL_FOLDERS
        }
        self._roots |= {folder: tuple(roots) for folder, roots in (fixed or {}).items()}
        for folder in WRITTEN_FOLDERS:
            root = output if folder == "output" and output is not None else data / folder
            make_folder(root)
            self._roots[folder] = (root,)
        self._hashes = hashes
        self._check_weights = check_weights
        self._sound: dict[Path, tuple[int, int, int]] = {}

    def check_name(self, name: str) -> None:
        """Raises BadName for what can name no file of any folder."""
        parts_of(name)

    def names(self, folder: str) -> Sequence[str]:
        """Names of the files there now, sorted; of the models folders only weights that can be loaded, one name for a
        model in several files."""
        endings = (*WEIGHTS, INDEX, PIPELINE) if folder in MODEL_FOLDERS else ("",)
        found = {
            name
            for root in self._roots_of(folder)
            for name in _walk(root)
            if name.lower().endswith(endings) and self._is_inside(root, name)
        }
        return sorted(whole(found) if folder in MODEL_FOLDERS else found, key=str.casefold)

    def models(self) -> Mapping[str, Sequence[str]]:
        """What there is in each models folder."""
        return {folder: self.names(folder) for folder in MODEL_FOLDERS}

    def path(self, folder: str, name: str) -> Path:
        """Where the file lies. Raises BadName or NoSuchFile, and ValueError for weights that are none."""
        parts = parts_of(name)
        for root in self._roots_of(folder):
            found = _resolve(root, parts)
            if found is not None:
                if folder in MODEL_FOLDERS:
                    self._check(found)
                return found
        raise NoSuchFile(f"there is no file {name!r} in {folder!r}")

    def open(self, folder: str, name: str) -> BinaryIO:
        """The file, open for reading. Raises BadName or NoSuchFile, and OSError for one that is there and cannot be."""
        path = self.path(folder, name)
        root = next(root for root in map(Path.resolve, self._roots_of(folder)) if path.is_relative_to(root))
        try:
            return _open_beneath(root, path.relative_to(root).parts)
        except OSError as error:
            if error.errno not in _NOT_THERE:
                raise
            raise NoSuchFile(f"{name!r} in {folder!r} cannot be opened: {error.strerror}") from error

    def open_beside(self, folder: str, name: str, endings: Sequence[str]) -> BinaryIO:
        """The first file that lies beside another one and is called as that, with one of `endings` in the place of its
        own. Raises BadName or NoSuchFile."""
        path = self.path(folder, name)
        root = next(root for root in map(Path.resolve, self._roots_of(folder)) if path.is_relative_to(root))
        for ending in endings:
            try:
                return _open_beneath(root, path.with_name(path.stem + ending).relative_to(root).parts)
            except OSError as error:
                if error.errno not in _NOT_THERE:
                    raise
        raise NoSuchFile(f"nothing with {', '.join(endings)} lies beside {name!r} in {folder!r}")

    def read(self, folder: str, name: str) -> bytes:
        """The whole file. Raises BadName or NoSuchFile."""
        with self.open(folder, name) as file:
            return file.read()

    def place(self, folder: str, name: str) -> Path:
        """Where a file of a written folder goes, its folders made. Raises BadName, also where a link is in the way."""
        *folders, file = parts_of(name)
        place = self.root(folder)
        for part in folders:
            above, place = place, place / part
            if place.is_symlink() or place.is_file():
                raise BadName(name, f"{part[:80]!r} is no folder")
            if not place.is_dir():
                place.mkdir()
                sync_folder(above)
        return place / file

    def replace(self, folder: str, name: str, data: bytes) -> None:
        """Write a file of a written folder, replacing what was there at once or not at all. Raises BadName."""
        replace_file(self.place(folder, name), data)

    def delete(self, folder: str, name: str) -> None:
        """Delete a file for good. Raises BadName and NoSuchFile."""
        path = self.path(folder, name)
        path.unlink(missing_ok=True)
        sync_folder(path.parent)

    def fingerprint(self, folder: str, name: str) -> str:
        """Hash of the content of the file, or of all files it stands for. Raises BadName or NoSuchFile."""
        path = self.path(folder, name)
        parts = parts_beside(path) if folder in MODEL_FOLDERS else []
        if not parts:
            return self._hashes.of(path)
        told = (f"{part.relative_to(path.parent)} {self._hashes.of(part)}\n" for part in (path, *parts))
        return hashlib.blake2b("".join(told).encode(), digest_size=20).hexdigest()

    def root(self, folder: str) -> Path:
        """Where what is written to one of WRITTEN_FOLDERS goes."""
        (root,) = self._roots_of(folder)
        return root

    def receive(self) -> Incoming:
        """A file on its way into "input"; it is not there before `keep`."""
        return Incoming(self.root("input"))

    def _check(self, path: Path) -> None:
        """Check weights that are unknown or changed since they were found sound."""
        status = path.stat()
        identity = (status.st_size, status.st_mtime_ns, status.st_ino)
        if self._check_weights is not None and self._sound.get(path) != identity:
            self._check_weights(path)
            self._sound[path] = identity

    def _roots_of(self, folder: str) -> tuple[Path, ...]:
        try:
            return self._roots[folder]
        except KeyError:
            raise BadName(folder, f"the folders are {', '.join(self._roots)}") from None

    def _is_inside(self, root: Path, name: str) -> bool:
        try:
            return _resolve(root, parts_of(name)) is not None
        except BadName:
            return False


class Incoming:
    """A file that is being received: written under a hidden name, visible complete or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / f".{secrets.token_hex(8)}{PART}"
        self._file = self._path.open("xb")

    def write(self, chunk: bytes) -> None:
        self._file.write(chunk)

    def keep(self, name: str) -> str:
        """Make the file visible under `name`, or, if another file has it, the next free `stem-2.suffix`; the name.

        The same content under the same name stays one file. Raises BadName for a name that is no plain file name.
        """
        if len(parts_of(name)) != 1:
            raise BadName(name, "it must not contain '/'")
        sync_and_close(self._file)
        stem, suffix = Path(name).stem, Path(name).suffix
        number, candidate = 1, name
        while not publish(self._path, self._folder / candidate):
            if _same_content(self._path, self._folder / candidate):
                self._path.unlink()
                return candidate
            number += 1
            candidate = f"{stem}-{number}{suffix}"
        return candidate

    def discard(self) -> None:
        """Forget what was received; nothing after `keep`."""
        try:
            self._file.close()
        finally:
            self._path.unlink(missing_ok=True)


def publish(part: Path, target: Path) -> bool:
    """Give the finished, synced file `part` its visible name, durably; False, and nothing done, if that is taken."""
    try:
        if os.name == "nt":
            part.rename(target)
        else:
            target.hardlink_to(part)
            part.unlink()
    except FileExistsError:
        return False
    except PermissionError:
        return _publish_without_links(part, target)
    sync_folder(target.parent)
    return True


def _publish_without_links(part: Path, target: Path) -> bool:
    """For file systems without hard links (FAT): the name is reserved empty, then replaced."""
    try:
        target.open("xb").close()
    except FileExistsError:
        return False
    part.replace(target)
    sync_folder(target.parent)
    return True


def replace_file(path: Path, data: bytes) -> None:
    """Write `data` to `path` durably, replacing what was there at once or not at all."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PART}")
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_and_close(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()


def make_folder(folder: Path) -> None:
    """Have a folder and all above it, under names that are durable."""
    missing = list[Path]()
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        sync_folder(each.parent)


def sync_folder(folder: Path) -> None:
    """Make names in `folder` durable, where the platform can (Windows needs no such call)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(data: Path) -> None:
    """Delete what earlier processes left half written an hour ago, and temporary results older than a day."""
    now = time.time()
    for path in data.glob(f".*{PART}"):
        _remove_older(path, now - 3600)
    for folder in WRITTEN_FOLDERS:
        for path in (data / folder).rglob(f".*{PART}"):
            _remove_older(path, now - 3600)
    for path in (data / "temp").rglob("*"):
        _remove_older(path, now - 24 * 3600)


def _remove_older(path: Path, moment: float) -> None:
    with contextlib.suppress(FileNotFoundError):
        if path.is_file() and path.stat().st_mtime < moment:
            path.unlink()


def _walk(root: Path) -> Iterator[str]:
    """Names of all files under `root`, relative, with "/"; hidden ones are left out, linked folders not entered."""
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        prefix = Path(folder).relative_to(root).as_posix() + "/" if folder != str(root) else ""
        yield from (prefix + name for name in files if not name.startswith("."))


def _resolve(root: Path, parts: Sequence[str]) -> Path | None:
    """The real path of an existing plain file inside `root`; None when there is none, or a link leads out."""
    try:
        real_root = root.resolve(strict=True)
        path = real_root.joinpath(*parts).resolve(strict=True)
    except (OSError, RuntimeError):
        return None
    return path if path.is_relative_to(real_root) and path.is_file() else None


def _open_beneath(root: Path, parts: Sequence[str]) -> BinaryIO:
    """Open root/parts, which holds no links, component by component, so that a link put there meanwhile is refused."""
    if os.name == "nt":
        return root.joinpath(*parts).open("rb")
    *folders, name = parts
    with contextlib.ExitStack() as opened:
        current = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        opened.callback(os.close, current)
        for folder in folders:
            current = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=current)
            opened.callback(os.close, current)
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=current)
    return os.fdopen(descriptor, "rb")


def _same_content(one: Path, other: Path) -> bool:
    with one.open("rb") as a, other.open("rb") as b:
        while (chunk := a.read(1 << 20)) == b.read(1 << 20):
            if not chunk:
                return True
    return False
