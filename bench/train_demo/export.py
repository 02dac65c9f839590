"""Put the trained parts into one checkpoint in the SD3 single-file layout.

`python -m bench.train_demo.export --autoencoder A --painter P` writes models/demo/checkpoints/weft-emoji.safetensors:
the painter's and text tower's matrices as float8 (e4m3) with one scale per tensor, everything else as float16.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from bench.train_demo.scenes import Sprites
from bench.train_demo.train_autoencoder import PARAMS, held_out_pictures
from bench.train_demo.vocabulary import SPRITES
from diffusion.latents import SD3
from diffusion.networks.autoencoder import Autoencoder

CHECKPOINT = Path(__file__).parents[2] / "models" / "demo" / "checkpoints" / "weft-emoji.safetensors"
PREFIXES = {"mmdit.": "model.diffusion_model.", "text.": "text_encoders.clip_l.transformer."}
LARGEST = torch.finfo(torch.float8_e4m3fn).max
KEPT_HALF = ("x_embedder.", "final_layer.", "pos_embed", "position_embedding", "t_embedder.", "y_embedder.")
METADATA = {
    "modelspec.sai_model_spec": "1.0.0",
    "modelspec.title": "Weft Emoji",
    "modelspec.architecture": "stable-diffusion-v3",
    "modelspec.implementation": "sgm",
    "modelspec.license": "OFL-1.1",
    "modelspec.resolution": "128x128",
    "modelspec.description": "One or two Noto Color Emoji on a plain background, from text",
    "weft.absent_t5": "drop",
}


def quantised(name: str, tensor: Tensor) -> dict[str, Tensor]:
    """A large matrix as float8 with its scale under `*.scale_weight`, any other tensor as float16."""
    is_matrix = tensor.ndim == 2 and tensor.numel() >= 1 << 14 and name.endswith(".weight")
    if not is_matrix or any(part in name for part in KEPT_HALF):
        return {name: tensor.half()}
    scale = tensor.float().abs().max() / LARGEST
    return {name: (tensor.float() / scale).to(torch.float8_e4m3fn), f"{name.removesuffix('weight')}scale_weight": scale}


@torch.no_grad()
def latent_rgb(autoencoder: Autoencoder, sprites: Sprites) -> list[list[float]]:
    """Least-squares colours (channels + 1 rows of 3, the last the bias) of latents as the network sees them."""
    x = held_out_pictures(sprites, 256, torch.device("cpu"))
    z = torch.cat([SD3.process_in(autoencoder.encode(part)) for part in x.split(32)])
    colours = torch.nn.functional.avg_pool2d(x, PARAMS.scale).movedim(1, -1).reshape(-1, 3)
    latents = z.movedim(1, -1).reshape(-1, z.shape[1])
    latents = torch.cat([latents, torch.ones(len(latents), 1)], 1)
    factors = torch.linalg.lstsq(latents, colours).solution
    return [[round(value, 5) for value in row] for row in factors.tolist()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--autoencoder", type=Path, required=True)
    parser.add_argument("--painter", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=CHECKPOINT)
    options = parser.parse_args()
    weights = load_file(options.autoencoder)
    tensors = {f"first_stage_model.{name}": tensor.half().contiguous() for name, tensor in weights.items()}
    for name, tensor in load_file(options.painter).items():
        prefix = next(prefix for prefix in PREFIXES if name.startswith(prefix))
        tensors |= quantised(PREFIXES[prefix] + name.removeprefix(prefix), tensor)
    autoencoder = Autoencoder(PARAMS)
    autoencoder.load_state_dict(weights)
    colours = latent_rgb(autoencoder.eval(), Sprites.read(SPRITES, "cpu"))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, options.out, {**METADATA, "weft.latent_rgb": json.dumps(colours)})
    print(f"{options.out.name}: {len(tensors)} tensors, {options.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
