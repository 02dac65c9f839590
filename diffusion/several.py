"""Models in several files, read as if they were one: shards that an index lists, and folders of diffusers. Standard
library only.

An index is a JSON object whose `weight_map` names the file of each tensor. A folder has a model_index.json that names
its parts, each in a folder of its own; the names of their tensors get that of the part before them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from diffusion.configs import marks_of, of_scheduler, of_vae
from diffusion.header import LONGEST_HEADER, BadWeights, Header, TensorInfo, read_header

INDEX = ".safetensors.index.json"
FOLDER = "model_index.json"

PARTS = ("unet", "transformer", "vae", "text_encoder", "text_encoder_2", "text_encoder_3")
TEXT_PARTS = tuple(f"{part}." for part in PARTS if part.startswith("text_encoder"))
"""What the names of text encoders begin with."""
_STEMS = ("diffusion_pytorch_model", "model")
_ENDINGS = (".safetensors", INDEX, ".fp16.safetensors", ".bf16.safetensors", ".safetensors.index.fp16.json")


class Member(NamedTuple):
    """One file, and what comes before the names of its tensors."""

    prefix: str
    path: Path


def is_several(path: Path) -> bool:
    """Whether a file stands for several."""
    return path.suffix == ".json"


def read_any(path: Path) -> Header:
    """As `read_header`, of a file or of several as one."""
    if not is_several(path):
        return read_header(path)
    members = members_of(path)
    return joined(path, members, [read_header(member.path) for member in members])


def members_of(path: Path) -> list[Member]:
    """The files that an index or the description of a folder stands for; BadWeights if some are not there."""
    if path.name != FOLDER:
        return [Member("", _beside(path, name)) for name in sorted(set(_weight_map(path).values()))]
    listed = _parsed(path)
    found: list[Member] = []
    for part in PARTS:
        library = listed.get(part)
        if isinstance(library, list) and library and library[0] is not None:
            file = _file_of(path, part)
            inner = members_of(file) if is_several(file) else [Member("", file)]
            found += [Member(f"{part}.", member.path) for member in inner]
    if not any(member.prefix in ("unet.", "transformer.") for member in found):
        raise BadWeights(path, "expected a unet or a transformer among the parts of the folder")
    return found


def joined(path: Path, members: Sequence[Member], headers: Sequence[Header]) -> Header:
    """One header of all; `TensorInfo.file` counts the members. BadWeights if they are not those of the index."""
    tensors: dict[str, TensorInfo] = {}
    for number, (member, header) in enumerate(zip(members, headers, strict=True)):
        for name, info in header.tensors.items():
            if (full := member.prefix + name) in tensors:
                raise BadWeights(path, f"tensor {full!r} is in two files")
            tensors[full] = info._replace(file=number)
    metadata = dict(headers[0].metadata)
    if path.name == FOLDER:
        for file in {_file_of(path, member.prefix[:-1]) for member in members}:
            if is_several(file):
                _check_index(file, members, headers)
        more, marks = _training(path)
        metadata |= more
        tensors |= {name: TensorInfo("F32", (0,), 0, 0) for name in marks}
    else:
        _check_index(path, members, headers)
    identities = "".join(header.identity for header in headers).encode() + path.read_bytes()
    identity = hashlib.blake2b(identities, digest_size=16).hexdigest()
    return Header(path, MappingProxyType(tensors), MappingProxyType(metadata), identity)


def _check_index(path: Path, members: Sequence[Member], headers: Sequence[Header]) -> None:
    """Every tensor lies where the index says, and no other is there."""
    listed = _weight_map(path)
    there = {
        name: member.path.name
        for member, header in zip(members, headers, strict=True)
        if member.path.parent == path.parent
        for name in header.tensors
    }
    for name in sorted(listed.keys() | there.keys()):
        if listed.get(name) != there.get(name):
            says, found = (where.get(name, "no file") for where in (listed, there))
            raise BadWeights(path, f"tensor {name!r}: the index says {says}, it is in {found}")


def _weight_map(path: Path) -> dict[str, str]:
    found = _parsed(path).get("weight_map")
    if not isinstance(found, dict) or not found or not all(isinstance(name, str) for name in found.values()):
        raise BadWeights(path, "expected a weight_map with the name of a file for each tensor")
    return found


def _training(path: Path) -> tuple[dict[str, str], list[str]]:
    """What the folder says of its training, as single files say it: metadata and names of marking tensors."""
    files = path.parent / "scheduler" / "scheduler_config.json", path.parent / "vae" / "config.json"
    scheduler, vae = (_parsed(_inside(path, file)) if file.is_file() else {} for file in files)
    try:
        return of_scheduler(scheduler) | of_vae(vae), marks_of(scheduler, vae)
    except ValueError as error:
        raise BadWeights(path, f"its {files[0].name}: {error}") from error


def _file_of(path: Path, part: str) -> Path:
    """The weights of a part, or their index."""
    names = [f"{stem}{ending}" for ending in _ENDINGS for stem in _STEMS]
    for name in names:
        if (path.parent / part / name).is_file():
            return _inside(path, path.parent / part / name)
    raise BadWeights(path, f"expected {names[0]} or the like in its folder {part}; other formats are not read")


def _beside(path: Path, name: str) -> Path:
    if Path(name).name != name or "\\" in name or not name.endswith(".safetensors"):
        raise BadWeights(path, f"expected names of safetensors files beside it, got {name!r:.80}")
    if not (path.parent / name).is_file():
        raise BadWeights(path, f"the file {name!r} it lists is not there")
    return _inside(path, path.parent / name)


def _inside(path: Path, file: Path) -> Path:
    """A file that no link leads out of the folder."""
    if not file.resolve().is_relative_to(path.parent.resolve()):
        raise BadWeights(path, f"{file.name} is a link that leads out of its folder")
    return file


def _parsed(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise BadWeights(path, "no such file")
    if path.stat().st_size > LONGEST_HEADER:
        raise BadWeights(path, f"expected at most {LONGEST_HEADER} bytes, got {path.stat().st_size}")
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BadWeights(path, f"expected JSON: {error}") from error
    if not isinstance(found, dict):
        raise BadWeights(path, "expected a JSON object")
    return found
