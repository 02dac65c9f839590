"""Nodes that read weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple, cast

from diffusion.families import FAMILIES
from diffusion.loader import load_checkpoint, load_clip, load_dit, load_mmdit, load_unet, load_vae
from diffusion.residency import Home, Residency, home_of
from graph import NO_CONTEXT, Choice, Context, ModelFile, node
from nodes.types import CLIP, VAE, Model


class Loaded(NamedTuple):
    """The parts of a checkpoint; `clip` and `vae` are None where it has none, and who needs them says so."""

    model: Model
    clip: CLIP
    vae: VAE


def home(ctx: Context) -> Home:
    """Where what is loaded belongs: in the worker's residency, or where there is none, on the device."""
    return ctx.residency if isinstance(ctx.residency, Residency) else home_of(ctx.device)


@node("CheckpointLoader", category="loaders", title="Load checkpoint", resource="io")
def checkpoint_loader(checkpoint: Annotated[Path, ModelFile("checkpoints")], ctx: Context = NO_CONTEXT) -> Loaded:
    """Open a checkpoint: one file with a model that paints, the text encoder it listens to and the VAE it paints with.

    checkpoint: a file in models/checkpoints, or a folder there in the layout of diffusers, by its model_index.json.
    """
    found = load_checkpoint(checkpoint, home(ctx))
    return Loaded(found.model, cast(CLIP, found.clip), cast(VAE, found.vae))


@node("UNetLoader", category="loaders", title="Load U-Net", resource="io")
def unet_loader(unet: Annotated[Path, ModelFile("diffusion_models")], ctx: Context = NO_CONTEXT) -> Model:
    """Open a model that comes without text encoder and VAE, of the U-Net kind (Stable Diffusion 1, 2, XL).

    unet: a file in models/diffusion_models.
    """
    return load_unet(unet, home(ctx))


@node("MMDiTLoader", category="loaders", title="Load MMDiT", resource="io")
def mmdit_loader(mmdit: Annotated[Path, ModelFile("diffusion_models")], ctx: Context = NO_CONTEXT) -> Model:
    """Open a model that comes without text encoders and VAE, of the MMDiT kind (Stable Diffusion 3 and 3.5).

    mmdit: a file in models/diffusion_models.
    """
    return load_mmdit(mmdit, home(ctx))


@node("DiTLoader", category="loaders", title="Load DiT", resource="io")
def dit_loader(dit: Annotated[Path, ModelFile("diffusion_models")], ctx: Context = NO_CONTEXT) -> Model:
    """Open a diffusion transformer that comes alone: DiT, which paints classes, or PixArt.

    dit: a file in models/diffusion_models.
    """
    return load_dit(dit, home(ctx))


@node("CLIPLoader", category="loaders", title="Load text encoders", resource="io")
def clip_loader(
    text_encoder: Annotated[Path, ModelFile("text_encoders")],
    text_encoder_2: Annotated[Path | None, ModelFile("text_encoders")] = None,
    text_encoder_3: Annotated[Path | None, ModelFile("text_encoders")] = None,
    family: Annotated[str, Choice(("any", *(known.name for known in FAMILIES if known.text)))] = "any",
    ctx: Context = NO_CONTEXT,
) -> CLIP:
    """Open the text encoders of a model that comes without them; the files tell which encoder each one is.

    text_encoder: a file in models/text_encoders. text_encoder_2, text_encoder_3: further ones, in any order, for models
    that listen to several (SDXL: two; SD3: three, of which T5 may be left out). family: of the model, if some of its
    encoders are left out; any means the one with the fewest that has all of these.
    """
    paths = (text_encoder, text_encoder_2, text_encoder_3)
    return load_clip([path for path in paths if path is not None], home(ctx), None if family == "any" else family)


@node("VAELoader", category="loaders", title="Load VAE", resource="io")
def vae_loader(vae: Annotated[Path, ModelFile("vae")], ctx: Context = NO_CONTEXT) -> VAE:
    """Open a VAE, the part that turns pictures into latents and back.

    vae: a file in models/vae.
    """
    return load_vae(vae, home(ctx))
