"""Models in several files, by the names alone: which of many names stand for a whole one, and which files for a name.

An index `NAME.safetensors.index.json` has shards `NAME-00001-of-00003.safetensors` beside it; a folder of diffusers has
a model_index.json, and its parts each in a folder of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

INDEX, PIPELINE = ".safetensors.index.json", "model_index.json"
_SHARD = re.compile(r"(.+)-\d+-of-\d+\.safetensors")


def whole(names: Iterable[str]) -> set[str]:
    """Names without those of parts whose whole is there."""
    names = set(names)
    folders = tuple(name.removesuffix(PIPELINE) for name in names if name.split("/")[-1] == PIPELINE)
    indices = {name.removesuffix(INDEX) for name in names if name.endswith(INDEX)}

    def is_part(name: str) -> bool:
        shard = _SHARD.fullmatch(name)
        within = any(name.startswith(folder) and name != folder + PIPELINE for folder in folders)
        return within or (shard is not None and shard[1] in indices)

    return {name for name in names if not is_part(name)}


def parts_beside(path: Path) -> list[Path]:
    """The files that `path` stands for, sorted; none where it stands for itself."""
    if path.name == PIPELINE:
        return sorted(file for file in path.parent.glob("*/*") if file.suffix in (".safetensors", ".json"))
    if not path.name.endswith(INDEX):
        return []
    shards = ((file, _SHARD.fullmatch(file.name)) for file in path.parent.iterdir())
    return sorted(file for file, shard in shards if shard is not None and shard[1] == path.name.removesuffix(INDEX))
