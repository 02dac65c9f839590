"""Put trained parts into the files of models/demo, each in its family's published layout.

`python -m bench.train_demo.export KIND --parts P... [--autoencoder A]`: large matrices and convolutions as float8
(e4m3) with one scale per tensor, everything else as float16.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from bench.train_demo import train_autoencoder
from bench.train_demo.scenes import Sprites
from bench.train_demo.train_autoencoder import held_out_pictures, read_autoencoder
from bench.train_demo.vocabulary import SPRITES
from diffusion.latents import LatentFormat
from diffusion.networks.autoencoder import Autoencoder
from diffusion.weights import Weights

FOLDER = Path(__file__).parents[2] / "models" / "demo"
LARGEST = torch.finfo(torch.float8_e4m3fn).max
SMALL = 1 << 14  # tensors of fewer numbers stay float16
NOTO, BOTH = "OFL-1.1", "OFL-1.1 AND MIT"
AUTOENCODER = "first_stage_model."


@dataclass(frozen=True)
class Kind:
    """One file: its title, of whose autoencoder its latents are, and what the parts are called in it.

    A part that is named after its file has a prefix here; the names in other parts begin with one. `kept_half` are
    pieces of the names of large tensors that stay float16; a file `with_autoencoder` has that too.
    """

    file: str
    title: str
    latents: str
    prefixes: Mapping[str, str]
    kept_half: tuple[str, ...] = ()
    with_autoencoder: bool = False
    licence: str = NOTO
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


def _dit(name: str, title: str) -> Kind:
    return Kind(
        f"diffusion_models/weft-emoji-{name}.safetensors",
        f"Weft Emoji, {title}",
        "sd15",
        {"dit.": ""},
        ("x_embedder.", "final_layer.", "pos_embed", "t_embedder."),
        metadata={"modelspec.architecture": "dit"},
    )


_UNET_HALF = ("input_blocks.0.", "out.2.", "position_embedding")
_SD15 = {"modelspec.architecture": "stable-diffusion-v1"}
KINDS = {
    "sd3": Kind(
        "checkpoints/weft-emoji.safetensors",
        "Weft Emoji",
        "sd3",
        {
            "mmdit.": "model.diffusion_model.",
            "text_l.": "text_encoders.clip_l.transformer.",
            "text_g.": "text_encoders.clip_g.transformer.",
        },
        ("x_embedder.", "final_layer.", "pos_embed", "position_embedding", "t_embedder.", "y_embedder."),
        with_autoencoder=True,
        metadata={"modelspec.architecture": "stable-diffusion-v3", "weft.absent_t5": "drop"},
    ),
    "sd15": Kind(
        "checkpoints/weft-emoji-unet.safetensors",
        "Weft Emoji, U-Net",
        "sd15",
        {"unet.": "model.diffusion_model.", "text.": "cond_stage_model.transformer."},
        _UNET_HALF,
        with_autoencoder=True,
        licence=BOTH,
        metadata=_SD15,
    ),
    "flat": Kind(
        "diffusion_models/weft-emoji-flat.safetensors",
        "Weft Emoji, U-Net, flat style",
        "sd15",
        {"unet.": ""},
        _UNET_HALF,
        licence=BOTH,
        metadata=_SD15,
    ),
    "inpaint": Kind(
        "diffusion_models/weft-emoji-inpaint.safetensors",
        "Weft Emoji, U-Net that paints into pictures",
        "sd15",
        {"unet.": ""},
        _UNET_HALF,
        metadata=_SD15,
    ),
    "dit": _dit("dit", "DiT"),
    **{
        f"dit-p{patch}-w{width}": _dit(f"dit-p{patch}-w{width}", f"DiT of width {width}, patch {patch}")
        for patch in (2, 4, 8)
        for width in (64, 128)
    },
    "edges": Kind(
        "controlnet/weft-emoji-edges.safetensors",
        "Weft Emoji, ControlNet of edges",
        "",
        {"control.": ""},
        (*_UNET_HALF, "zero_convs.", "middle_block_out."),
        metadata={"modelspec.architecture": "stable-diffusion-v1/controlnet"},
    ),
    "lora": Kind(
        "loras/weft-emoji-flat.safetensors",
        "Weft Emoji, LoRA of the flat style",
        "",
        {"lora.": ""},
        ("lora_",),
        licence=BOTH,
        metadata={"modelspec.architecture": "stable-diffusion-v1/lora"},
    ),
    "tiny": Kind("vae/weft-emoji-tiny.safetensors", "Weft Emoji, tiny decoder", "", {"tiny.": ""}),
    "unet-tiny": Kind(
        "vae/weft-emoji-unet-tiny.safetensors", "Weft Emoji, U-Net, tiny decoder", "", {"tiny.": ""}, licence=BOTH
    ),
}
CHECKPOINT = FOLDER / KINDS["sd3"].file


def quantised(name: str, tensor: Tensor, kept_half: tuple[str, ...]) -> dict[str, Tensor]:
    """A large matrix as float8 with its scale under `*.scale_weight`, any other tensor as float16."""
    is_large = tensor.ndim >= 2 and tensor.numel() >= SMALL and name.endswith(".weight")
    if not is_large or any(part in name for part in kept_half):
        return {name: tensor.half().contiguous()}
    scale = tensor.float().abs().max() / LARGEST
    stored = (tensor.float() / scale).to(torch.float8_e4m3fn).contiguous()
    return {name: stored, f"{name.removesuffix('weight')}scale_weight": scale}


@torch.no_grad()
def latent_rgb(autoencoder: Autoencoder, latent_format: LatentFormat, sprites: Sprites) -> list[list[float]]:
    """Least-squares colours (channels + 1 rows of 3, the last the bias) of latents as the network sees them."""
    x = held_out_pictures(sprites, 256, torch.device("cpu"))
    z = torch.cat([latent_format.process_in(autoencoder.encode(part)) for part in x.split(32)])
    colours = torch.nn.functional.avg_pool2d(x, autoencoder.params.scale).movedim(1, -1).reshape(-1, 3)
    latents = z.movedim(1, -1).reshape(-1, z.shape[1])
    latents = torch.cat([latents, torch.ones(len(latents), 1)], 1)
    factors = torch.linalg.lstsq(latents, colours).solution
    return [[round(value, 5) for value in row] for row in factors.tolist()]


def tensors_of(paths: list[Path], kind: Kind) -> dict[str, Tensor]:
    """Every network's tensors under their names in the file."""
    tensors: dict[str, Tensor] = {}
    for path in paths:
        own = f"{path.stem}."
        for name, tensor in load_file(path).items():
            full = f"{own}{name}" if own in kind.prefixes else name
            prefix = next(prefix for prefix in kind.prefixes if full.startswith(prefix))
            tensors |= quantised(kind.prefixes[prefix] + full.removeprefix(prefix), tensor, kind.kept_half)
    return tensors


def networks_of(path: Path, kind: Kind) -> dict[str, Tensor]:
    """The networks of an exported file by their names in training, in full precision."""
    weights = Weights.open(path)
    parts = {own: weights.with_prefix(prefix) for own, prefix in kind.prefixes.items()}
    return {f"{own}{name}": part[name].float() for own, part in parts.items() for name in part.shapes}


def write(kind: Kind, parts: list[Path], autoencoder: Autoencoder | None, folder: Path) -> Path:
    """The file of `kind` under `folder`; the autoencoder is that of its latents, if it has to do with latents."""
    tensors = tensors_of(parts, kind)
    metadata = {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.implementation": "sgm",
        "modelspec.title": kind.title,
        "modelspec.license": kind.licence,
        "modelspec.resolution": "128x128",
        **kind.metadata,
    }
    if kind.latents:
        assert autoencoder is not None
        latent_format = train_autoencoder.KINDS[kind.latents].latent_format
        metadata["weft.latent_rgb"] = json.dumps(latent_rgb(autoencoder, latent_format, Sprites.read("cpu", SPRITES)))
        if kind.with_autoencoder:
            for name, tensor in autoencoder.state_dict().items():
                tensors |= quantised(AUTOENCODER + name, tensor, ("conv_in", "conv_out", "quant_conv"))
    path = folder / kind.file
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, metadata)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--parts", type=Path, nargs="+", required=True)
    parser.add_argument("--autoencoder", type=Path, help="file with the autoencoder the networks were trained for")
    parser.add_argument("--out", type=Path, default=FOLDER)
    options = parser.parse_args()
    autoencoder = read_autoencoder(options.autoencoder) if options.autoencoder else None
    path = write(KINDS[options.kind], options.parts, autoencoder, options.out)
    print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
