"""The three parts of a checkpoint as frozen values: Model (denoising network), CLIP (text encoders), VAE.

Each names its `origin`: how it was made (file, part, merge recipe), which stands for its content in fingerprints. None
is ever changed; a changed model is a new value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

from diffusion.conditioning import Conditioning, Reference, Sizes
from diffusion.guidance.rules import PLAIN, Guidance
from diffusion.hooks import NO_HOOKS, Hooks
from diffusion.latents import LatentFormat
from diffusion.prediction import Prediction
from diffusion.residency import within_memory
from diffusion.text.encode import Encoding, TextTower, Weigh, encode_prompt, from_empty
from diffusion.text.prompt import Segment, parse_prompt, with_learned


class Fit(Protocol):
    """How encoded text meets a network: its context and the vector beside it, for a picture of those sizes.

    Raises ValueError where the text comes from encoders of another family.
    """

    def __call__(
        self, context_BLD: Tensor, pooled_BD: Tensor | None, sizes: Sizes, /
    ) -> tuple[Tensor, Tensor | None]: ...


class Extra(Protocol):
    """The channels a network takes behind the noisy latents `x`, in its own scale, of a picture to start from.

    Without one it gets what stands for none in its training.
    """

    def __call__(self, reference: Reference | None, x_BCHW: Tensor, /) -> Tensor: ...


@dataclass(frozen=True)
class Model:
    """A denoising network with what is known of how it was trained.

    `extra_channels` is None where it takes latents alone. `metadata` is what its file says of its training beside what
    it predicts. `guidance` is how it is best guided. With `grows_masks` what a mask marks is painted the earlier the
    more it is marked, see `inpainting.growing`.
    """

    network: nn.Module
    family: str
    prediction: Prediction
    latent_format: LatentFormat
    fit: Fit
    device: torch.device
    dtype: torch.dtype
    origin: str
    extra_channels: Extra | None = None
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    guidance: Guidance = PLAIN
    grows_masks: bool = False

    def output(
        self, x_BCHW: Tensor, t_B: Tensor, context_BLD: Tensor, y_BD: Tensor | None, hooks: Hooks = NO_HOOKS
    ) -> Tensor:
        """What the network predicts for scaled latents at its own time `t`; tensors on `device`, of `dtype`.

        Context and vector are what `fit` made of the text.
        """

        def call(rows: slice) -> Tensor:
            given = (x_BCHW[rows], t_B[rows], context_BLD[rows], None if y_BD is None else y_BD[rows])
            if hooks is NO_HOOKS:  # also what networks take that know of none
                return self.network(*given)
            return self.network(*given, hooks.of(rows))

        return within_memory(self.network, x_BCHW, call)


@dataclass(frozen=True)
class Weighting:
    """How weights in a prompt are written and what they do."""

    parse: Callable[[str], list[Segment]]
    weigh: Weigh


FROM_EMPTY = Weighting(parse_prompt, from_empty)


class Assemble(Protocol):
    """How a family joins what its text towers say; towers it can do without may be missing."""

    def __call__(self, encodings: Mapping[str, Encoding], /) -> Conditioning: ...


@dataclass(frozen=True)
class CLIP:
    """The text encoders of a checkpoint, by slot ("clip_l", "clip_g", "t5xxl"), and how they read prompts.

    `words`: learned ones, vectors N D by name and slot. `absent_t5`: how many rows of zeros stand for T5 where it is
    missing; None for what the family has.
    """

    towers: Mapping[str, TextTower]
    assemble: Assemble
    origin: str
    weighting: Weighting = FROM_EMPTY
    words: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict[str, Mapping[str, Tensor]])
    absent_t5: int | None = None

    def encode(self, text: str) -> Conditioning:
        """The conditioning of one prompt with weights such as `(cat:1.3)`: batch 1, float32, on the CPU."""
        return self.encode_each(dict.fromkeys(self.towers, text))

    def encode_each(self, texts: Mapping[str, str]) -> Conditioning:
        """The conditioning of a text for each encoder, by slot; slots that are not there are passed over."""
        if missing := self.towers.keys() - texts.keys():
            raise ValueError(f"prompt: expected a text for {min(missing)}, got those of {', '.join(sorted(texts))}")
        encodings = {slot: self._encoded(slot, tower, texts[slot]) for slot, tower in self.towers.items()}
        conditioning = self.assemble(encodings)
        if self.absent_t5 is None or "t5xxl" in self.towers:
            return conditioning
        width = conditioning.entries[0].context_BLD.shape[2]
        return self.assemble({**encodings, "t5xxl": Encoding(torch.zeros(1, self.absent_t5, width), None)})

    def segments(self, text: str) -> list[Segment]:
        """How a prompt is read: stretches of one weight, learned words by themselves."""
        return with_learned(self.weighting.parse(text), self.words)

    def _encoded(self, slot: str, tower: TextTower, text: str) -> Encoding:
        words = {name: by_slot[slot] for name, by_slot in self.words.items() if slot in by_slot}
        return encode_prompt(tower, self.segments(text), words, self.weighting.weigh)


class Autoencoder(Protocol):
    """Raw latents B C H/8 W/8 from pictures B 3 H W in -1..1, and back.

    In bands the result is the same, with less memory on the device and the whole kept where the input is.
    """

    def encode(self, x_BCHW: Tensor) -> Tensor: ...
    def decode(self, z_BCHW: Tensor) -> Tensor: ...
    def encode_in_bands(self, x_BCHW: Tensor, device: torch.device) -> Tensor: ...
    def decode_in_bands(self, z_BCHW: Tensor, device: torch.device) -> Tensor: ...


@dataclass(frozen=True)
class VAE:
    """An autoencoder between pictures in 0..1 and raw latents."""

    network: Autoencoder
    channels: int
    downscale: int
    device: torch.device
    dtype: torch.dtype
    origin: str

    def encode(self, image_B3HW: Tensor) -> Tensor:
        """Raw latents (the mean, no noise), float32 on the CPU.

        Rows and columns beyond a multiple of `downscale` are cut, half on each side.
        """
        height, width = (size - size % self.downscale for size in image_B3HW.shape[2:])
        if not height or not width:
            size = tuple(image_B3HW.shape[2:])
            raise ValueError(f"image: expected at least {self.downscale} pixels a side, got {size}")
        top, left = (image_B3HW.shape[2] - height) // 2, (image_B3HW.shape[3] - width) // 2
        x_B3HW = image_B3HW[:, :, top : top + height, left : left + width] * 2 - 1

        def call(rows: slice) -> Tensor:
            return self.network.encode(x_B3HW[rows].to(self.device, self.dtype)).float().cpu()

        def in_bands(rows: slice) -> Tensor:
            return self.network.encode_in_bands(x_B3HW[rows].cpu().to(self.dtype), self.device).float()

        return within_memory(self.network, x_B3HW, call, in_bands)

    def decode(self, latent_BCHW: Tensor) -> Tensor:
        """A picture in 0..1 of raw latents, float32 on the CPU."""
        if latent_BCHW.shape[1] != self.channels:
            raise ValueError(f"latent: this VAE takes {self.channels} channels, got {latent_BCHW.shape[1]}")

        def call(rows: slice) -> Tensor:
            x_B3HW = self.network.decode(latent_BCHW[rows].to(self.device, self.dtype))
            return ((x_B3HW.float() + 1) / 2).clamp(0, 1).cpu()

        def in_bands(rows: slice) -> Tensor:
            x_B3HW = self.network.decode_in_bands(latent_BCHW[rows].cpu().to(self.dtype), self.device)
            return ((x_B3HW.float() + 1) / 2).clamp(0, 1)

        return within_memory(self.network, latent_BCHW, call, in_bands)
