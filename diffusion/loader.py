"""From files to values: whole checkpoints, and their parts in files of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch

from diffusion import families
from diffusion.family import MARKS, Family
from diffusion.family import Checkpoint as Learned
from diffusion.fill import Part, build, compute_dtype
from diffusion.layouts import single_file, taesd, vae
from diffusion.layouts.arranged import Tensors
from diffusion.mistaken import mistaken_for
from diffusion.model import CLIP, VAE, Model
from diffusion.networks.autoencoder import Autoencoder, AutoencoderParams
from diffusion.networks.shapes import Shapes
from diffusion.networks.taesd import Taesd, TaesdParams
from diffusion.residency import Home, home_of
from diffusion.several import TEXT_PARTS
from diffusion.text.encode import TextTower
from diffusion.text.slots import TextSlot
from diffusion.training import OF_PREDICTION
from diffusion.weights import BadWeights, Weights

ResultT = TypeVar("ResultT")

NETWORK_PREFIXES = ("model.diffusion_model.", "diffusion_model.", "model.", "unet.", "transformer.", "")
VAE_PREFIXES = ("first_stage_model.", "vae.")
TELLING = "weft."
"""The beginning of metadata that tell how a network was trained."""

_CLIP_ROOTS = ("embeddings.token_embedding.weight", "token_embedding.weight")
_SEEING = ("vision_model.", "visual_projection.", "visual.")
"""What a whole CLIP has beside its text encoder."""
_T5_ROOT = "encoder.block.0.layer.0.SelfAttention.q.weight"


class Checkpoint(NamedTuple):
    """The parts of one file; text encoders and autoencoder may be in files of their own."""

    model: Model
    clip: CLIP | None
    vae: VAE | None


def load_checkpoint(path: Path, device: str | Home) -> Checkpoint:
    """Everything in a single file (LDM, SGM or SD3 layout). BadWeights for a file that cannot be used.

    On the CPU all is computed in float32, on a GPU in the file's half precision. `device` is the name of one, on which
    all of it is put at once, or the Residency that is to decide what of it lies there.
    """
    weights, where = Weights.open(path), home_of(device)
    network, family = network_in(weights)
    model = _model(weights, network, family, where)
    part = next((part for prefix in VAE_PREFIXES if (part := weights.with_prefix(prefix))), None)
    return Checkpoint(
        model,
        _clip_in(weights, network.shapes, family, where),
        None if part is None else _vae(part, where),
    )


def load_unet(path: Path, device: str | Home) -> Model:
    """The U-Net of a file; BadWeights if it has another network."""
    return _model_of("U-Net", path, device)


def load_mmdit(path: Path, device: str | Home) -> Model:
    """The MMDiT of a file; BadWeights if it has another network."""
    return _model_of("MMDiT", path, device)


def load_dit(path: Path, device: str | Home) -> Model:
    """The diffusion transformer of a file (DiT, PixArt); BadWeights if it has another network."""
    return _model_of("DiT", path, device)


def load_clip(paths: Sequence[Path], device: str | Home, family: str | None = None) -> CLIP:
    """Text encoders, each in a file of its own, told apart by their shapes; BadWeights if they do not go together.

    `family`: the name of whose they are, None for the one with the fewest that has all of them.
    """
    found: dict[str, Weights] = {}
    for path in paths:
        name, weights = _tower_in(Weights.open(path))
        if name in found:
            raise BadWeights(path, f"a second {name}, beside {found[name].header.path.name}")
        found[name] = weights
    owner = _or_bad(paths[0], lambda: families.for_towers(found, family))
    slots = {slot.name: slot for slot in owner.text}
    towers = {name: _tower(weights, slots[name], home_of(device)) for name, weights in found.items()}
    origin = owner.name + "".join(f"+{name}:{weights.header.identity}" for name, weights in sorted(found.items()))
    return CLIP(towers, owner.assemble({}, {}), origin)


def load_vae(path: Path, device: str | Home) -> VAE:
    """An autoencoder, bare (single-file or diffusers names) or within a checkpoint."""
    weights = Weights.open(path)
    part = next((part for prefix in VAE_PREFIXES if (part := weights.with_prefix(prefix))), weights)
    return _vae(part, home_of(device))


def _model_of(architecture: str, path: Path, device: str | Home) -> Model:
    weights = Weights.open(path)
    network, family = network_in(weights)
    if family.architecture != architecture:
        raise BadWeights(path, f"expected a {architecture}, this is {family.title}, a {family.architecture}")
    return _model(weights, network, family, home_of(device))


def network_prefix(weights: Weights) -> str:
    """What the names of a network's tensors begin with: at least six of them do."""
    return next((prefix for prefix in NETWORK_PREFIXES if len(weights.with_prefix(prefix)) > 5), "")


def network_in(weights: Weights) -> tuple[Tensors, Family]:
    """The network's tensors, prefix stripped, under its own names, and their family."""
    part = weights.with_prefix(network_prefix(weights))
    network = part.select({name: name for name in part if name not in MARKS})
    arranged = _or_bad(weights.header.path, lambda: single_file(network))
    return arranged, _or_bad(weights.header.path, lambda: families.recognise(arranged.shapes))


def _model(weights: Weights, network: Tensors, family: Family, home: Home) -> Model:
    path, metadata = weights.header.path, weights.header.metadata
    learned = Learned(network, {name: weights[name] for name in MARKS if name in weights}, metadata)
    prediction = _or_bad(path, lambda: family.trained(learned))
    dtype = compute_dtype(home.device, network.dtypes, family.half)
    part = Part(path, family.title, network, network.shapes, home, dtype, weights.header.identity)
    return Model(
        network=build(part, family.network),
        family=family.name,
        prediction=prediction,
        latent_format=_or_bad(path, lambda: family.latents(metadata)),
        fit=_or_bad(path, lambda: family.fit(network.shapes, metadata)),
        extra_channels=_or_bad(path, lambda: family.beside(learned)),
        device=home.device,
        dtype=dtype,
        origin=f"network:{weights.header.identity}",
        metadata={k: v for k, v in metadata.items() if k.startswith(TELLING) and k not in OF_PREDICTION},
    )


def _clip_in(weights: Weights, network: Shapes, family: Family, home: Home) -> CLIP | None:
    towers: dict[str, TextTower] = {}
    for slot in family.text:
        part = next((part for prefix in slot.prefixes if (part := weights.with_prefix(prefix))), None)
        if part is not None:
            towers[slot.name] = _tower(part, slot, home)
    slots = {slot.name: slot for slot in family.text}
    for name, part in map(_tower_in, filter(None, map(weights.with_prefix, TEXT_PARTS))):
        if name in slots:
            towers[name] = _tower(part, slots[name], home)
    if not towers:
        return None
    assemble = _or_bad(weights.header.path, lambda: family.assemble(network, weights.header.metadata))
    return CLIP(towers, assemble, f"text:{weights.header.identity}")


def _tower(weights: Weights, slot: TextSlot, home: Home) -> TextTower:
    from diffusion.text.towers import build_tower  # noqa: PLC0415 - imports transformers, which takes seconds

    return build_tower(weights, slot, home)


def _tower_in(weights: Weights) -> tuple[str, Weights]:
    """Which tower a file holds, by its number of layers, and its tensors without any prefix."""
    for name in weights:
        if name.endswith(_T5_ROOT):
            return "t5xxl", weights.with_prefix(name.removesuffix(_T5_ROOT))
    for root in _CLIP_ROOTS:
        for name in weights:
            if name.endswith(root):
                part = weights.with_prefix(name.removesuffix(root).removesuffix("text_model."))
                part = part.select({key: key for key in part if not key.startswith(_SEEING)})
                layers = {piece for key in part for piece in key.split(".") if piece.isdecimal()}
                slot = "clip_g" if "30" in layers else "clip_h" if "22" in layers else "clip_l"
                return slot, part
    raise BadWeights(weights.header.path, f"expected a CLIP or T5 text encoder{mistaken_for(weights)}")


def _vae(weights: Weights, home: Home) -> VAE:
    path, identity = weights.header.path, weights.header.identity
    # Trained in float32; the activations of some leave the range of float16.
    dtype = torch.float32 if home.device.type == "cpu" else torch.bfloat16
    layout = taesd if taesd.recognises(weights) else vae
    if layout is vae and not any("coder.conv_in." in name for name in weights):
        raise BadWeights(path, f"expected a VAE{mistaken_for(weights)}")
    tensors = _or_bad(path, lambda: layout.single_file(weights))
    part = Part(path, "VAE", tensors, tensors.shapes, home, dtype, identity)
    if layout is taesd:
        tiny = build(part, lambda shapes: _taesd(shapes, weights))
        return VAE(tiny, tiny.params.latent_channels, tiny.downscale, home.device, dtype, f"vae:{identity}")
    network = build(part, lambda shapes: Autoencoder(AutoencoderParams.from_shapes(shapes)))
    channels, downscale = network.params.latent_channels, network.params.scale
    return VAE(network, channels, downscale, home.device, dtype, f"vae:{identity}")


def _taesd(shapes: Shapes, weights: Weights) -> Taesd:
    params = TaesdParams.from_shapes(shapes, 1.0, 0.0)
    scale, shift = taesd.scale_and_shift(weights, params.latent_channels)
    return Taesd(replace(params, scale=scale, shift=shift))


def _or_bad(path: Path, make: Callable[[], ResultT]) -> ResultT:
    """What `make` returns; its ValueError as BadWeights of this file."""
    try:
        return make()
    except ValueError as error:
        raise BadWeights(path, str(error)) from error
