"""Merging models, text encoders and autoencoders, one tensor at a time; the ones merged are left as they are.

Every tensor is computed in float32 and rounded once to the precision of A's. Tensors of which a formula leaves A's
alone are shared with A, memory and all.
"""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from diffusion.blocks import Ratios
from diffusion.merging.formulas import FORMULAS, Formula, Terms, weighted_sum
from diffusion.model import CLIP, VAE, Autoencoder, Model
from diffusion.patches.apply import network_of, with_network
from diffusion.residency import Derivation, value_of

_LISTED = 5
_FIRST_LAYER = "input_blocks.0.0.weight"

Heard = Callable[[int, int], None]


def _unheard(_done: int, _total: int) -> None:
    """Where nobody follows the tensors go by."""


@dataclass(frozen=True)
class Recipe:
    """A formula by name, its ratios (alpha) and its other numbers; see `formulas`."""

    ratios: Ratios
    formula: str = "weighted_sum"
    beta: float = 0.0
    gamma: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        numbers = (self.ratios.ratio, self.beta, self.gamma)
        if not all(math.isfinite(number) for number in numbers):
            raise ValueError(f"merge: expected finite ratios, got {', '.join(map(str, numbers))}")

    @property
    def text(self) -> str:
        return f"{self.formula} {self.ratios.recipe} {float(self.beta).hex()} {float(self.gamma).hex()} {self.seed}"


def merge_models(models: Sequence[Model], recipe: Recipe, heard: Heard = _unheard) -> Model:
    """One network out of two or three; everything but the weights is that of the first.

    `heard` is told how many tensors of how many are done. ValueError for networks that are not built alike, naming the
    tensors that differ. Where A alone takes more than latents (to paint into pictures), only the channels all have are
    merged.
    """
    first = models[0]
    members = [Member(model.family, model.network) for model in models]
    return replace(first, network=_merged(members, recipe, heard), origin=_origin([m.origin for m in models], recipe))


def merge_clips(clips: Sequence[CLIP], recipe: Recipe, heard: Heard = _unheard) -> CLIP:
    """The text encoders of two or three models, each with its like. ValueError where they have not the same."""
    names = [sorted(clip.towers) for clip in clips]
    if any(others != names[0] for others in names):
        raise ValueError(f"merge: expected the same text encoders, got {' and '.join(', '.join(n) for n in names)}")
    towers = {
        slot: with_network(
            tower, _merged([Member(slot, network_of(clip.towers[slot])) for clip in clips], recipe, heard)
        )
        for slot, tower in clips[0].towers.items()
    }
    return replace(clips[0], towers=towers, origin=_origin([clip.origin for clip in clips], recipe))


def merge_vaes(vaes: Sequence[VAE], recipe: Recipe, heard: Heard = _unheard) -> VAE:
    """One autoencoder out of two or three."""
    network = _merged([Member("VAE", _module_of(vae)) for vae in vaes], recipe, heard)
    origin = _origin([vae.origin for vae in vaes], recipe)
    return replace(vaes[0], network=cast(Autoencoder, network), origin=origin)


class Member(NamedTuple):
    """A network to be merged, and what it is called in messages."""

    title: str
    network: nn.Module


def _merged(members: Sequence[Member], recipe: Recipe, heard: Heard) -> nn.Module:
    states = [member.network.state_dict(keep_vars=True) for member in members]
    _check_alike(members, states)
    formula = FORMULAS[recipe.formula]
    if formula.needs_c and len(states) < 3:
        raise ValueError(f"merge: {recipe.formula} needs a third model, C")
    ratios = recipe.ratios.each(states[0])
    memo: dict[int, object] = {}
    derivation = Derivation(f"a merge of {members[0].title}")
    for done, (name, tensor) in enumerate(states[0].items()):
        heard(done, len(states[0]))
        if (ratios[name] == 0 and formula.keeps_a) or not tensor.is_floating_point():
            value = tensor
        else:
            mixed = _mixed([value_of(state[name]) for state in states], name, formula, ratios[name], recipe)
            value = derivation.keep(mixed, tensor)
        memo[id(tensor)] = value
    return copy.deepcopy(members[0].network, memo)


def _mixed(tensors: Sequence[Tensor], name: str, formula: Formula, ratio: float, recipe: Recipe) -> Tensor:
    a, *others = tensors
    if name == _FIRST_LAYER and (channels := min(t.shape[1] for t in tensors)) < a.shape[1]:
        own = [a[:, :channels], *(t[:, :channels] for t in others)]
        return torch.cat((_mixed(own, "", formula, ratio, recipe), a[:, channels:]), dim=1)
    others = [other.to(a.device) for other in others]
    if formula.compute is weighted_sum and a.dtype == others[0].dtype:
        return torch.lerp(a, others[0], ratio)  # works in float32 inside and rounds once, without copies
    wide = [tensor.float() for tensor in (a, *others)]
    generator = torch.Generator().manual_seed(_seed(recipe.seed, name))
    third = wide[2] if len(wide) > 2 else wide[0]
    terms = Terms(wide[0], wide[1], third, ratio, recipe.beta, recipe.gamma, generator)
    return formula.compute(terms).to(a.dtype)


def _seed(seed: int, name: str) -> int:
    digest = hashlib.blake2b(f"{seed} {name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def _check_alike(members: Sequence[Member], states: Sequence[Mapping[str, Tensor]]) -> None:
    left = states[0]
    for letter, member, right in zip("BC", members[1:], states[1:], strict=False):
        differing = [f"{name} only in A" for name in left.keys() - right.keys()]
        differing += [f"{name} only in {letter}" for name in right.keys() - left.keys()]
        differing += [
            f"{name} {list(tensor.shape)} in A, {list(right[name].shape)} in {letter}"
            for name, tensor in left.items()
            if name in right and not _fit(name, tensor, right[name])
        ]
        if differing:
            listed = "; ".join(sorted(differing)[:_LISTED]) + ("; ..." if len(differing) > _LISTED else "")
            raise ValueError(
                f"merge: A ({members[0].title}) and {letter} ({member.title}) are not built alike, "
                f"{len(differing)} tensors differ: {listed}"
            )


def _fit(name: str, a: Tensor, other: Tensor) -> bool:
    """Of one shape, or a first layer of A's that takes more channels."""
    more = name == _FIRST_LAYER and a.ndim == other.ndim == 4 and a.shape[1] > other.shape[1]
    return a.shape == other.shape or (more and a.shape[::2] == other.shape[::2] and a.shape[3] == other.shape[3])


def _module_of(vae: VAE) -> nn.Module:
    if not isinstance(vae.network, nn.Module):
        raise TypeError(f"merge: expected the VAE of a file, got {type(vae.network).__name__}")
    return vae.network


def _origin(origins: Sequence[str], recipe: Recipe) -> str:
    text = "\n".join((*origins, recipe.text))
    return f"merged:{hashlib.blake2b(text.encode(), digest_size=16).hexdigest()}"
