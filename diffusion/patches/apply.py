"""Adding adapters to a model or to text encoders: a new value that shares every weight the file leaves alone.

A weight becomes W + s (W' - W), computed in float32 and rounded once; the strength s means the same for every kind of
adapter, and 0 gives back the very value that came.
"""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from diffusion.blocks import Ratios, Rule
from diffusion.model import CLIP, Model
from diffusion.patches.adapters import IA3, Adapter
from diffusion.patches.file import AdapterFile, Change
from diffusion.patches.names import Target, flat, layers_of
from diffusion.residency import Derivation, value_of
from diffusion.text.encode import TextTower

if TYPE_CHECKING:
    from diffusion.text.clip import ClipTower
    from diffusion.text.t5 import T5Tower

_LISTED = 5


def patch_model(model: Model, file: AdapterFile, strength: float, rules: tuple[Rule, ...] = ()) -> Model:
    """The model with those of the file's adapters that are for its network; the same model if there are none.

    `rules` are factors of the strength for blocks of the network, see `blocks.parse_rules`. ValueError, naming them,
    for adapters whose layer the network does not have or that do not fit their layer.
    """
    changes = [change for change in file.changes if not change.slots]
    if not _counts(strength) or not changes:
        return model
    layers = layers_of(model.network)
    edits, unmatched = _edits(changes, layers, model.network.state_dict().keys())
    _all_matched(file, unmatched, f"this {model.family} network")
    ratios = Ratios(1.0, rules=rules)
    factors = ratios.each(model.network.state_dict())
    strengths = {name: strength * factors[name] for name in edits if factors[name]}
    network = _patched(model.network, edits, strengths, file.name)
    return replace(model, network=network, origin=_origin(model.origin, file, strength, ratios.recipe))


def patch_clip(clip: CLIP, file: AdapterFile, strength: float) -> CLIP:
    """The text encoders with those of the file's adapters that are for them; the same value if there are none.

    ValueError as for `patch_model`, also for adapters of a text encoder that is not there.
    """
    changes = [change for change in file.changes if change.slots]
    if not _counts(strength) or not changes:
        return clip
    towers, unmatched = (
        dict(clip.towers),
        [change.key for change in changes if not set(change.slots) & set(clip.towers)],
    )
    for slot, tower in clip.towers.items():
        network = network_of(tower)
        meant = [change for change in changes if next((s for s in change.slots if s in clip.towers), None) == slot]
        edits, missing = _edits(meant, layers_of(network), network.state_dict().keys())
        unmatched += missing
        if edits:
            strengths = dict.fromkeys(edits, strength)
            towers[slot] = with_network(tower, _patched(network, edits, strengths, file.name))
    _all_matched(file, unmatched, f"these text encoders ({', '.join(clip.towers)})")
    return replace(clip, towers=towers, origin=_origin(clip.origin, file, strength))


def matching(file: AdapterFile, model: Model, clip: CLIP | None) -> tuple[AdapterFile, Sequence[str]]:
    """The file without adapters for layers that are not there, and the names of those; without `clip` those for text
    encoders are of no matter."""
    networks = {"": model.network}
    if clip is not None:
        networks |= {slot: network_of(tower) for slot, tower in clip.towers.items()}
    layers = {slot: layers_of(network) for slot, network in networks.items()}

    def is_there(change: Change) -> bool:
        slots = change.slots if clip is not None and change.slots else ("",)
        slot = next((slot for slot in slots if slot in layers), None)
        return (clip is None and bool(change.slots)) or (slot is not None and flat(change.layer) in layers[slot])

    kept = tuple(change for change in file.changes if is_there(change))
    return replace(file, changes=kept), [change.key for change in file.changes if not is_there(change)]


class Edit(NamedTuple):
    """One adapter on one tensor of a network."""

    key: str
    target: Target
    adapter: Adapter


Edits = Mapping[str, Sequence[Edit]]
"""By the name of the tensor."""


def _counts(strength: float) -> bool:
    if not math.isfinite(strength):
        raise ValueError(f"adapters: expected a finite strength, got {strength}")
    return strength != 0


def _edits(changes: Sequence[Change], layers: Mapping[str, Target], tensors: Set[str]) -> tuple[Edits, list[str]]:
    """What is to be done to each tensor, and what the network has no place for."""
    edits: dict[str, list[Edit]] = {}
    unmatched: list[str] = []
    for change in changes:
        target = layers.get(flat(change.layer))
        if target is None:
            unmatched.append(change.key)
            continue
        for adapter, kind in ((change.weight, "weight"), (change.bias, "bias")):
            if adapter is None:
                continue
            name = f"{target.layer}.{kind}"
            if name in tensors:
                edits.setdefault(name, []).append(Edit(change.key, target, adapter))
            elif not isinstance(adapter, IA3):  # a gain of outputs is one of the bias too, where there is one
                unmatched.append(f"{change.key} (its bias)")
    return edits, unmatched


def _all_matched(file: AdapterFile, unmatched: Sequence[str], where: str) -> None:
    if unmatched:
        listed = ", ".join(unmatched[:_LISTED]) + (", ..." if len(unmatched) > _LISTED else "")
        raise ValueError(
            f"{file.name}: {len(unmatched)} of {len(file.changes)} adapters are for layers that {where} does not have: "
            f"{listed}. It was made for another model, or for parts that are not here; strength 0 leaves these out"
        )


def _patched(network: nn.Module, edits: Edits, strengths: Mapping[str, float], source: str) -> nn.Module:
    """A network with other tensors where there is a strength, and the very same ones everywhere else."""
    tensors = network.state_dict(keep_vars=True)
    memo: dict[int, object] = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    derivation = Derivation(f"what {source} changed")
    for name, strength in strengths.items():
        value = _edited(value_of(tensors[name]), edits[name], strength, f"{source}: {name}")
        memo[id(tensors[name])] = derivation.keep(value, tensors[name])
    return copy.deepcopy(network, memo)


def _edited(tensor: Tensor, edits: Sequence[Edit], strength: float, where: str) -> Tensor:
    taken: set[int] = set()
    base = tensor.float()
    result = base.clone()
    for key, target, adapter in edits:
        if target.parts > tensor.shape[0] or tensor.shape[0] % target.parts:
            raise ValueError(f"{where}: expected rows in {target.parts} equal parts, got {tensor.shape[0]}")
        rows = target.rows(tensor)
        if not taken.isdisjoint(touched := range(rows.start, rows.stop)):
            raise ValueError(f"{where}: changed twice by one file, the second time as {key}")
        taken.update(touched)
        try:
            delta = adapter.delta(target.turned(base[rows]))
        except torch.OutOfMemoryError:
            raise
        except (ValueError, IndexError, RuntimeError) as error:  # torch's own for shapes that do not go together
            raise ValueError(f"{where}: {key} does not fit a weight {list(base[rows].shape)}: {error}") from error
        result[rows].add_(target.turned(delta), alpha=strength)
    return result.to(tensor.dtype)


def _origin(origin: str, file: AdapterFile, strength: float, ratios: str = "") -> str:
    recipe = f"{origin}\n{file.origin}\n{float(strength).hex()}\n{ratios}\n{len(file.changes)}"
    return f"patched:{hashlib.blake2b(recipe.encode(), digest_size=16).hexdigest()}"


def network_of(tower: TextTower) -> nn.Module:
    """The network of a text encoder."""
    return _known(tower).network


def with_network(tower: TextTower, network: nn.Module) -> TextTower:
    """The text encoder with another network in its place."""
    return replace(_known(tower), network=network)


def _known(tower: TextTower) -> ClipTower | T5Tower:
    # Whoever has a tower has imported it already.
    from diffusion.text.clip import ClipTower  # noqa: PLC0415 - imports transformers, which takes seconds
    from diffusion.text.t5 import T5Tower  # noqa: PLC0415 - imports transformers, which takes seconds

    if not isinstance(tower, ClipTower | T5Tower):
        raise TypeError(f"adapters: expected a CLIP or T5 text encoder, got {type(tower).__name__}")
    return tower
