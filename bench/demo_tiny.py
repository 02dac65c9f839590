"""How near the tiny decoders come to the full ones: `python -m bench.demo_tiny [--count 64]`.

Held-out pictures are encoded by each demo checkpoint's autoencoder and decoded by its own decoder and by the tiny one;
told are the PSNR of the tiny decoder's pictures to the full decoder's and to the true ones, and the time of a picture.
"""

from __future__ import annotations

import argparse
import json
import time

import torch
from torch import Tensor

from bench.train_demo import export, vocabulary
from bench.train_demo.scenes import Sprites
from bench.train_demo.train_autoencoder import held_out_pictures
from diffusion.loader import load_checkpoint, load_vae
from diffusion.model import VAE

PAIRS = (("sd3", "tiny"), ("sd15", "unet-tiny"))
BATCH = 16


def decoded(vae: VAE, latents_BCHW: Tensor) -> tuple[Tensor, float]:
    """Pictures in 0..1, and the seconds each took."""
    start = time.perf_counter()
    pictures = torch.cat([vae.decode(part) for part in latents_BCHW.split(BATCH)])
    return pictures, (time.perf_counter() - start) / len(latents_BCHW)


def psnr(a_B3HW: Tensor, b_B3HW: Tensor) -> float:
    """Mean over pictures, dB."""
    return round(float((-10 * (a_B3HW - b_B3HW).square().mean((1, 2, 3)).log10()).mean()), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=64)
    options = parser.parse_args()
    x = (held_out_pictures(Sprites.read("cpu", vocabulary.SPRITES), options.count, torch.device("cpu")) + 1) / 2
    for checkpoint, tiny in PAIRS:
        full = load_checkpoint(export.FOLDER / export.KINDS[checkpoint].file, "cpu").vae
        assert full is not None
        small = load_vae(export.FOLDER / export.KINDS[tiny].file, "cpu")
        latents = torch.cat([full.encode(part) for part in x.split(BATCH)])
        (by_full, full_seconds), (by_small, small_seconds) = decoded(full, latents), decoded(small, latents)
        told = {
            "decoder": export.KINDS[tiny].file,
            "of": len(x),
            "PSNR to the full decoder, dB": psnr(by_small, by_full),
            "PSNR to the true picture, dB": psnr(by_small, x),
            "of the full decoder, dB": psnr(by_full, x),
            "ms": round(small_seconds * 1e3, 1),
            "ms of the full decoder": round(full_seconds * 1e3, 1),
        }
        print(json.dumps(told))


if __name__ == "__main__":
    main()
