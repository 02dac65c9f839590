"""Merging models, text encoders and autoencoders, one tensor at a time; the ones merged are left as they are.

Every tensor is computed in float32 and rounded once to the precision of A's. Tensors of which a formula leaves A's
alone are shared with A, memory and all.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, cast

from torch import Tensor, nn

from diffusion.merging.recipe import Recipe, bounds_of, check_alike, mix
from diffusion.model import CLIP, VAE, Autoencoder, Model
from diffusion.patches.apply import network_of, with_network
from diffusion.residency import Derivation, value_of

Heard = Callable[[int, int], None]


def _unheard(_done: int, _total: int) -> None:
    """Where nobody follows the tensors go by."""


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
    shapes = [{name: tuple(tensor.shape) for name, tensor in state.items()} for state in states]
    check_alike([member.title for member in members], shapes)
    formula = recipe.formula_of(len(states))
    ratios = recipe.ratios.each(states[0])
    changing = [n for n, t in states[0].items() if t.is_floating_point() and (ratios[n] or not formula.keeps_a)]

    def models(name: str) -> list[Tensor]:
        return [value_of(state[name]) for state in states]

    bounds = bounds_of(recipe, changing, models)
    memo: dict[int, object] = {id(tensor): tensor for tensor in states[0].values()}
    derivation = Derivation(f"a merge of {members[0].title}")
    for done, name in enumerate(changing):
        heard(done, len(changing))
        tensor = states[0][name]
        mixed = mix(models(name), name, ratios[name], recipe, tensor.dtype, bounds)
        memo[id(tensor)] = derivation.keep(mixed, tensor)
    return copy.deepcopy(members[0].network, memo)


def _module_of(vae: VAE) -> nn.Module:
    if not isinstance(vae.network, nn.Module):
        raise TypeError(f"merge: expected the VAE of a file, got {type(vae.network).__name__}")
    return vae.network


def _origin(origins: Sequence[str], recipe: Recipe) -> str:
    text = "\n".join((*origins, recipe.text))
    return f"merged:{hashlib.blake2b(text.encode(), digest_size=16).hexdigest()}"
