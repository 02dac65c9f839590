"""What is in a checkpoint and how a prompt is read, as plain data, without computing anything."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import torch

from diffusion.family import MARKS, Checkpoint, Family
from diffusion.hashes import hashes_of
from diffusion.header import SIZES
from diffusion.loader import VAE_PREFIXES, network_in, network_prefix
from diffusion.model import CLIP
from diffusion.networks.shapes import Shapes
from diffusion.several import is_several, members_of
from diffusion.text.chunks import Chunk
from diffusion.text.encode import ids_of
from diffusion.text.tokenizer import CLIP_END, T5_END, clip_piece, t5_piece
from diffusion.weights import BadWeights, Weights

_LISTED = 20
_EMA = "model_ema."


def inspected(path: Path) -> dict[str, Any]:
    """A safetensors file: hashes, metadata, family, what it predicts, parts with number, bytes and precision of their
    tensors, and where the network's tensors differ from those its family takes. BadWeights for no such file."""
    weights = Weights.open(path)
    files = [member.path for member in members_of(path)] if is_several(path) else [path]
    told: dict[str, Any] = {
        "file": path.name,
        "bytes": sum(file.stat().st_size for file in files),
        "hashes": {} if is_several(path) else hashes_of(path),
        "metadata": {name: value[:200] for name, value in weights.header.metadata.items()},
        "markers": sorted(name for name in weights if name in MARKS),
    }
    try:
        network, family = network_in(weights)
    except BadWeights as error:
        return told | {"family": None, "problem": str(error), "parts": _parts(weights, {})}
    markers = {name: weights[name] for name in MARKS if name in weights}
    prefixes = {"network": [network_prefix(weights)], "vae": list(VAE_PREFIXES)}
    prefixes |= {slot.name: list(slot.prefixes) for slot in family.text}
    return told | {
        "family": family.title,
        "architecture": family.architecture,
        "prediction": _prediction(family, Checkpoint(network, markers, weights.header.metadata)),
        "network": _compared(family, network.shapes),
        "parts": _parts(weights, prefixes),
    }


def as_lines(facts: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Facts such as `inspected` gives, a line each: names, and what is in them further in."""
    for name, fact in facts.items():
        if isinstance(fact, Mapping) and fact:
            yield f"{indent}{name}:"
            yield from as_lines(fact, indent + "  ")
        else:
            value = ", ".join(map(str, fact)) if isinstance(fact, list) else fact
            yield f"{indent}{name}: {'none' if value is None or value in ('', {}) else value}"


def viewed(clip: CLIP, text: str) -> dict[str, Any]:
    """For each text encoder its chunks: tokens with id, text and weight, and how many of padding follow."""
    segments = clip.segments(text)
    told: dict[str, Any] = {}
    for slot, tower in clip.towers.items():
        words = {name: by_slot[slot] for name, by_slot in clip.words.items() if slot in by_slot}
        learned = ids_of(tower, segments, words)
        names = {id: f"embedding:{name}" for name, ids in learned.items() for id in ids}
        end = T5_END if slot == "t5xxl" else CLIP_END
        told[slot] = [_chunk(chunk, names, slot == "t5xxl", end) for chunk in tower.chunks(segments, learned)]
    return told


def _chunk(chunk: Chunk, names: Mapping[int, str], is_t5: bool, end: int) -> dict[str, Any]:
    length = next(place for place, token in enumerate(chunk) if token.id == end) + 1
    piece = t5_piece if is_t5 else clip_piece
    tokens = [
        {"id": id, "text": names.get(id) or piece(id), "weight": round(weight, 4)} for id, weight, _ in chunk[:length]
    ]
    return {"tokens": tokens, "padding": len(chunk) - length}


def _prediction(family: Family, checkpoint: Checkpoint) -> dict[str, Any]:
    try:
        prediction = family.trained(checkpoint)
    except ValueError as error:
        return {"problem": str(error)}
    facts = asdict(prediction) if is_dataclass(prediction) and not isinstance(prediction, type) else {}
    ends = {"sigma_min": prediction.sigma_min, "sigma_max": prediction.sigma_max}
    return {"kind": type(prediction).__name__, **facts, **ends}


def _compared(family: Family, shapes: Shapes) -> dict[str, Any]:
    """Where the tensors of a file are not those of its network."""
    try:
        with torch.device("meta"):
            expected = {name: tuple(t.shape) for name, t in family.network(shapes).state_dict().items()}
    except (ValueError, RuntimeError) as error:
        return {"problem": str(error)}
    differing = [
        f"{name}: {list(shapes[name])}, expected {list(shape)}"
        for name, shape in expected.items()
        if name in shapes and shapes[name] != shape
    ]
    return {
        "parameters": sum(math.prod(shape) for shape in expected.values()),
        "missing": _listed([name for name in expected if name not in shapes]),
        "extra": _listed([name for name in shapes if name not in expected]),
        "wrong_shapes": _listed(differing),
    }


def _parts(weights: Weights, prefixes: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The tensors of the file by part; those of the longest prefix that fits."""
    known = sorted(((p, part) for part, ps in prefixes.items() for p in ps), key=lambda pair: -len(pair[0]))
    known = [(_EMA, "averaged weights (left out)"), *known]
    found: dict[str, list[str]] = {}
    for name in weights:
        part = "markers" if name in MARKS else next((part for p, part in known if name.startswith(p)), "other")
        found.setdefault(part, []).append(name)
    return {part: _part(weights, names) for part, names in sorted(found.items())}


def _part(weights: Weights, names: Sequence[str]) -> dict[str, Any]:
    infos = [weights.header.tensors[name] for name in names]
    counts = [math.prod(info.shape) for info in infos]
    return {
        "tensors": len(names),
        "parameters": sum(counts),
        "bytes": sum(count * SIZES[info.dtype] for count, info in zip(counts, infos, strict=True)),
        "precision": dict(Counter(info.dtype for info in infos)),
    }


def _listed(names: Sequence[str]) -> dict[str, Any]:
    return {"count": len(names), "names": list(names[:_LISTED])}
