"""Merging checkpoint files into one, a piece of a tensor in memory at a time.

Networks have to be built alike, as in `merge`. What else is in A and not in all others, such as a VAE, comes along as
it is; averaged weights of training (`model_ema.`) do not.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from diffusion.family import MARKS
from diffusion.hashes import sha256_of
from diffusion.loader import network_prefix
from diffusion.merging.recipe import FIRST_LAYER, Bounds, Recipe, bounds_of, check_alike, described, mix
from diffusion.saving import PRECISIONS, Heard, Stored, chunks
from diffusion.weights import Weights

PIECE = 1 << 18
"""Values worked on at a time, where a formula allows it."""
RECIPE = "weft.recipe"
"""Metadata: what a file was merged of and how, as JSON."""
_EMA = "model_ema."


@dataclass(frozen=True)
class Merged:
    """A file to be, see `saving.chunks`. `told`: how many tensors are mixed, are A's alone, were left out."""

    tensors: Mapping[str, Stored]
    metadata: Mapping[str, str]
    told: Mapping[str, int]


def merge_files(paths: Sequence[Path], recipe: Recipe, dtype: torch.dtype | None = None) -> Merged:
    """The merge of safetensors files, in `dtype` or, None, each tensor in the first file's (of float8: float16).

    Ratios by blocks hold for the network, the ratio itself for all else. BadWeights for files that are none, ValueError
    for networks that are not built alike.
    """
    opened = [Weights.open(path) for path in paths]
    formula = recipe.formula_of(len(opened))
    prefixes = [network_prefix(file) for file in opened]
    networks = [_network(file, prefix) for file, prefix in zip(opened, prefixes, strict=True)]
    check_alike([path.name for path in paths], [network.shapes for network in networks])
    own = prefixes[0]
    files = [_named(file, prefix, own) for file, prefix in zip(opened, prefixes, strict=True)]
    ratios = {own + name: ratio for name, ratio in recipe.ratios.each(networks[0]).items()}
    names = [name for name in files[0] if not name.startswith(_EMA)]
    common = [name for name in names if _is_common(name, files)]
    share = {name: ratios.get(name, recipe.ratios.ratio) for name in common}
    mixed = {name: ratio for name, ratio in share.items() if ratio or not formula.keeps_a}

    def models(name: str) -> list[Tensor]:
        return [file[name] for file in files]

    bounds = bounds_of(recipe, mixed, models)

    def stored(name: str) -> Stored:
        kept = _dtype(files[0], name, dtype)
        if name not in mixed:
            return Stored(files[0].shapes[name], kept, lambda: (files[0][name],))
        whole = not formula.each_alone or name == own + FIRST_LAYER
        work = _Work(name.removeprefix(own), mixed[name], recipe, kept, bounds)
        return Stored(files[0].shapes[name], kept, lambda: work.parts(models(name), whole=whole))

    left_out = {name for file in files for name in file} - set(names)
    told = {"mixed": len(mixed), "of_a_alone": len(names) - len(mixed), "left_out": len(left_out)}
    return Merged({name: stored(name) for name in names}, _metadata(opened, recipe), told)


def write_merge(paths: Sequence[Path], recipe: Recipe, precision: str, target: Path, heard: Heard) -> Mapping[str, int]:
    """Write the merge of files to a file, which is there whole, or not; what `Merged` tells. Precision: of PRECISIONS.

    OSError where there is such a file, or where it cannot be written.
    """
    merged = merge_files(paths, recipe, PRECISIONS[precision])
    part = target.with_name(f".{target.name}.part")
    try:
        with part.open("wb") as file:
            file.writelines(chunks(merged.tensors, merged.metadata, heard))
            file.flush()
            os.fsync(file.fileno())
        os.link(part, target)
    finally:
        part.unlink(missing_ok=True)
    return merged.told


@dataclass(frozen=True)
class _Work:
    """How one tensor is made; `name` is the network's own."""

    name: str
    ratio: float
    recipe: Recipe
    dtype: torch.dtype
    bounds: Bounds

    def parts(self, tensors: Sequence[Tensor], *, whole: bool) -> Iterator[Tensor]:
        """The values of the result; `tensors` are those of all models."""
        size = tensors[0].numel()
        if whole or size <= PIECE:
            yield self._mixed(tensors)
            return
        flat = [tensor.flatten() for tensor in tensors]
        for start in range(0, size, PIECE):
            yield self._mixed([values[start : start + PIECE] for values in flat])

    def _mixed(self, tensors: Sequence[Tensor]) -> Tensor:
        return mix(tensors, self.name, self.ratio, self.recipe, self.dtype, self.bounds)


def _network(file: Weights, prefix: str) -> Weights:
    part = file.with_prefix(prefix)
    return part.select({name: name for name in part if name not in MARKS})


def _named(file: Weights, prefix: str, wanted: str) -> Weights:
    """The file's tensors with the network's under another prefix."""
    inside = {name for name in file if name.startswith(prefix) and name not in MARKS}
    return file.select({wanted + name.removeprefix(prefix) if name in inside else name: name for name in file})


def _is_common(name: str, files: Sequence[Weights]) -> bool:
    """Whether it is a tensor of numbers to mix, in all files. ValueError where it is another in each."""
    if name in MARKS or name.endswith("position_ids") or not all(name in file for file in files):
        return False
    shapes = [file.shapes[name] for file in files]
    if any(shape != shapes[0] for shape in shapes) and not name.endswith(FIRST_LAYER):
        raise ValueError(f"merge: {name} has different shapes: {', '.join(str(list(shape)) for shape in shapes)}")
    return all(file.dtype_of(name).is_floating_point for file in files)


def _dtype(file: Weights, name: str, wanted: torch.dtype | None) -> torch.dtype:
    own = file.dtype_of(name)
    if not own.is_floating_point or name in MARKS:
        return own
    return wanted or (torch.float16 if own.itemsize == 1 else own)


def _metadata(files: Sequence[Weights], recipe: Recipe) -> dict[str, str]:
    """What A says of itself, and the recipe with the hashes of all files, and the recipes those were made by."""
    with ThreadPoolExecutor() as pool:
        hashes = list(pool.map(lambda file: sha256_of(file.header.path), files))
    sources: list[dict[str, Any]] = [
        {"name": file.header.path.name, "sha256": digest} for file, digest in zip(files, hashes, strict=True)
    ]
    for source, file in zip(sources, files, strict=True):
        if RECIPE in file.header.metadata:
            source["recipe"] = json.loads(file.header.metadata[RECIPE])
    told = {key: value for key, value in files[0].header.metadata.items() if not key.startswith(("format", "sshs_"))}
    return {**told, RECIPE: json.dumps({**described(recipe), "files": sources})}
