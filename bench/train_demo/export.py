"""Put the trained parts into one checkpoint in its family's single-file layout.

`python -m bench.train_demo.export --kind sd3 --autoencoder A --painter P...` writes into models/demo/checkpoints: large
matrices as float8 (e4m3) with one scale per tensor, everything else as float16.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from bench.train_demo import train_autoencoder
from bench.train_demo.scenes import Sprites
from bench.train_demo.train_autoencoder import held_out_pictures
from bench.train_demo.vocabulary import SPRITES
from diffusion.latents import LatentFormat
from diffusion.networks.autoencoder import Autoencoder

FOLDER = Path(__file__).parents[2] / "models" / "demo" / "checkpoints"
LARGEST = torch.finfo(torch.float8_e4m3fn).max


@dataclass(frozen=True)
class Kind:
    """One checkpoint: its file, what the parts of the painter are called in it, and which tensors stay float16."""

    file: str
    prefixes: Mapping[str, str]
    kept_half: tuple[str, ...]
    dimensions: int  # of the largest tensors that are made float8: 2 for matrices, 4 for convolutions too
    metadata: Mapping[str, str]


_METADATA = {
    "modelspec.sai_model_spec": "1.0.0",
    "modelspec.implementation": "sgm",
    "modelspec.license": "OFL-1.1",
    "modelspec.resolution": "128x128",
}
KINDS = {
    "sd3": Kind(
        file="weft-emoji.safetensors",
        prefixes={"mmdit.": "model.diffusion_model.", "text.": "text_encoders.clip_l.transformer."},
        kept_half=(
            "first_stage_model.",
            "x_embedder.",
            "final_layer.",
            "pos_embed",
            "position_embedding",
            "t_embedder.",
            "y_embedder.",
        ),
        dimensions=2,
        metadata={
            **_METADATA,
            "modelspec.title": "Weft Emoji",
            "modelspec.architecture": "stable-diffusion-v3",
            "modelspec.description": "One or two Noto Color Emoji on a plain background, from text",
            "weft.absent_t5": "drop",
        },
    ),
    "sd15": Kind(
        file="weft-emoji-unet.safetensors",
        prefixes={"unet.": "model.diffusion_model.", "text.": "cond_stage_model.transformer."},
        kept_half=("first_stage_model.decoder.", "quant_conv", "conv_in", "conv_out", "position_embedding"),
        dimensions=4,
        metadata={
            **_METADATA,
            "modelspec.title": "Weft Emoji, U-Net",
            "modelspec.architecture": "stable-diffusion-v1",
            "modelspec.description": "One to four Noto Color Emoji on a plain background, from English or Chinese",
        },
    ),
}
CHECKPOINT = FOLDER / KINDS["sd3"].file


def quantised(name: str, tensor: Tensor, kind: Kind) -> dict[str, Tensor]:
    """A large matrix as float8 with its scale under `*.scale_weight`, any other tensor as float16."""
    is_large = 2 <= tensor.ndim <= kind.dimensions and tensor.numel() >= 1 << 14 and name.endswith(".weight")
    if not is_large or any(part in name for part in kind.kept_half):
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


def painter_tensors(paths: list[Path], kind: Kind) -> dict[str, Tensor]:
    """Every network's tensors under their names in the checkpoint; a file of one network is called as it is."""
    tensors: dict[str, Tensor] = {}
    for path in paths:
        own = f"{path.stem}."
        for name, tensor in load_file(path).items():
            full = f"{own}{name}" if own in kind.prefixes else name
            prefix = next(prefix for prefix in kind.prefixes if full.startswith(prefix))
            tensors |= quantised(kind.prefixes[prefix] + full.removeprefix(prefix), tensor, kind)
    return tensors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=KINDS, default="sd3")
    parser.add_argument("--autoencoder", type=Path, required=True)
    parser.add_argument("--painter", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, default=FOLDER)
    options = parser.parse_args()
    kind, trained = KINDS[options.kind], train_autoencoder.KINDS[options.kind]
    weights = {name: tensor.float() for name, tensor in load_file(options.autoencoder).items()}
    tensors = painter_tensors(options.painter, kind)
    for name, tensor in weights.items():
        tensors |= quantised(f"first_stage_model.{name}", tensor, kind)
    autoencoder = Autoencoder(trained.params)
    autoencoder.load_state_dict(weights)
    colours = latent_rgb(autoencoder.eval(), trained.latent_format, Sprites.read("cpu", SPRITES))
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / kind.file
    save_file(tensors, path, {**kind.metadata, "weft.latent_rgb": json.dumps(colours)})
    print(f"{path.name}: {len(tensors)} tensors, {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
