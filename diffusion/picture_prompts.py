"""Pictures as prompts beside the text, by IP-Adapters (Ye et al. 2023, arXiv:2308.06721)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from diffusion.fill import Part, build, compute_dtype
from diffusion.hooks import Beside
from diffusion.mistaken import mistaken_for
from diffusion.networks.ip_adapter import IPAdapterNetwork
from diffusion.networks.unet import UNet
from diffusion.residency import Home, home_of, using, within_memory
from diffusion.unfit import Unfit
from diffusion.weights import BadWeights, Weights


@dataclass(frozen=True)
class Seen:
    """What an image encoder says of pictures: a vector each, and rows of the layer before its last."""

    vector_BD: Tensor
    rows_BLD: Tensor

    @staticmethod
    def joined(parts: Sequence[Seen]) -> Seen:
        return Seen(torch.cat([part.vector_BD for part in parts]), torch.cat([part.rows_BLD for part in parts]))


class Vision(Protocol):
    """An image encoder."""

    def look(self, image_B3HW: Tensor) -> Seen:
        """At pictures in 0..1."""
        ...

    def nothing(self) -> Seen:
        """At one picture there is nothing on: zero everywhere, as the network sees it."""
        ...


@dataclass(frozen=True)
class IPAdapter:
    """An IP-Adapter; `origin` stands for its content."""

    network: IPAdapterNetwork
    device: torch.device
    dtype: torch.dtype
    origin: str

    def of_pictures(self, seen: Seen) -> Tensor:
        """The tokens 1 L D of all pictures, one after the other."""
        return self._tokens(seen).flatten(0, 1)[None]

    def of_none(self, pictures: int, nothing: Seen) -> Tensor:
        """What stands for as many pictures as that where there are none: the vector zero, or the rows of `nothing`."""
        none = Seen(torch.zeros_like(nothing.vector_BD), nothing.rows_BLD)
        return self._tokens(none).repeat(1, pictures, 1)

    def _tokens(self, seen: Seen) -> Tensor:
        network = self.network
        given = (seen.rows_BLD if network.reads_rows else seen.vector_BD).to(self.device, self.dtype)
        with torch.no_grad():
            return within_memory(network, given, lambda rows: network.tokens(given[rows]))


def load_ip_adapter(path: Path, device: str | Home) -> IPAdapter:
    """An IP-Adapter for U-Nets, plain, Plus or Full; BadWeights for other files."""
    weights, home = Weights.open(path), home_of(device)
    if not any(name.startswith("ip_adapter.") or "perceiver_resampler" in name for name in weights):
        raise BadWeights(path, f"expected an IP-Adapter, with tensors named ip_adapter.*{mistaken_for(weights)}")
    dtype = compute_dtype(home.device, weights.dtypes, torch.float16)
    part = Part(path, "IP-Adapter", weights, weights.shapes, home, dtype, weights.header.identity)
    network = build(part, IPAdapterNetwork.from_shapes)
    return IPAdapter(network, home.device, dtype, f"ip-adapter:{weights.header.identity}")


@dataclass(frozen=True)
class PicturePrompt:
    """Tokens 1 L D that count `weight` times beside the text, from `start` to `end`: fractions of the schedule.

    `keys_and_values`, for every cross-attention, are there once it is `ready`.
    """

    adapter: IPAdapter
    tokens_1LD: Tensor
    weight: float = 1.0
    start: float = 0.0
    end: float = 1.0
    keys_and_values: tuple[tuple[Tensor, Tensor], ...] = ()

    @property
    def kind(self) -> tuple[object, ...]:
        """Equal for what can go through a network together."""
        return id(self.adapter.network), self.weight, self.start, self.end, self.tokens_1LD.shape

    def ready(self) -> PicturePrompt:
        """Computed once for all steps."""
        network, tokens_1LD = self.adapter.network, self.tokens_1LD.to(self.adapter.device, self.adapter.dtype)
        with torch.no_grad(), using(network):
            return replace(self, keys_and_values=network.keys_and_values(tokens_1LD))


def beside(
    network: nn.Module, prompts: Sequence[Sequence[PicturePrompt]], batch: int, dtype: torch.dtype
) -> Mapping[str, tuple[Beside, ...]]:
    """What cross-attentions see beside the text, by their names, when parts of `batch` rows go through together.

    `prompts`: those of each part, of one kind for each place. Unfit for adapters of another kind of network.
    """
    result: dict[str, tuple[Beside, ...]] = {}
    for together in zip(*prompts, strict=True):
        for number, site in enumerate(_sites(network, together[0].adapter)):
            key, value = (
                torch.cat([prompt.keys_and_values[number][which].expand(batch, -1, -1) for prompt in together]).to(
                    dtype
                )
                for which in (0, 1)
            )
            result[site] = (*result.get(site, ()), Beside(key, value, together[0].weight))
    return result


def _sites(network: nn.Module, adapter: IPAdapter) -> Sequence[str]:
    widths = adapter.network.widths
    found = network.cross_attentions() if isinstance(network, UNet) else {}
    if tuple(found.values()) != widths:
        raise Unfit(
            f"IP-Adapter: this one is for U-Nets with {len(widths)} cross-attentions, got a {type(network).__name__} "
            f"with {len(found)}; use one made for this kind of model"
        )
    return list(found)
