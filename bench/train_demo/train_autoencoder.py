"""Train the 16-channel autoencoder: `python -m bench.train_demo.train_autoencoder --seconds 300 --out DIR`.

The latent is normalised per channel inside the training graph and handed to the decoder in the raw scale of the SD3
latent format, so that folding the statistics into the encoder's last convolution at the end is exact.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from bench.train_demo import scenes as scene
from bench.train_demo.optimiser import Average, Optimiser, rate_factor
from bench.train_demo.scenes import Sprites
from bench.train_demo.vocabulary import SPRITES
from diffusion.latents import SD3
from diffusion.networks.autoencoder import Autoencoder, AutoencoderParams

PARAMS = AutoencoderParams(channels=64, multipliers=(1, 1, 2, 2), res_blocks=1, latent_channels=16, quant_conv=False)
BATCH = 128
RATE = 1.5e-3
NOISE = 0.12  # most noise added to unit-variance latents, so that the decoder forgives a painter's small errors
SETTLED = 0.7  # share of the training after which the latent statistics are kept fixed
SEED = 11


class Normalised(nn.Module):
    """The autoencoder with its latents brought to zero mean and unit variance per channel."""

    def __init__(self, network: Autoencoder) -> None:
        super().__init__()
        self.network = network
        channels = network.params.latent_channels
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    def forward(self, x_B3HW: Tensor, noise_B: Tensor, settled: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Reconstruction, half-size reconstruction of the halved latent, and the batch's latent mean and variance."""
        z = self.network.encode(x_B3HW)
        mean, variance = z.float().mean((0, 2, 3)), z.float().var((0, 2, 3))
        statistics = mean.detach(), variance.detach()
        used = torch.where(settled, self.mean, mean), torch.where(settled, self.variance, variance)
        z = (z - used[0][:, None, None]) * (used[1] + 1e-6).rsqrt()[:, None, None]
        small = F.avg_pool2d(z[: len(z) // 4], 2)
        z = z + noise_B[:, None, None, None] * torch.randn_like(z)
        decode = self.network.decode
        return decode(SD3.process_out(z)), decode(SD3.process_out(small)), *statistics

    @torch.no_grad()
    def fold(self) -> None:
        """Move the normalisation and the latent format's scale into the encoder's last convolution."""
        scale = (self.variance + 1e-6).rsqrt() / SD3.scale
        shift = SD3.shift - self.mean * scale
        conv, channels = self.network.encoder.conv_out, len(scale)
        conv.weight[:channels] *= scale[:, None, None, None]
        conv.bias[:channels] = conv.bias[:channels] * scale + shift


def loss_of(out: Tensor, x: Tensor) -> Tensor:
    """Absolute and squared error, and absolute error of differences between neighbours (edges)."""
    d = out.float() - x.float()
    edges = (d[..., 1:] - d[..., :-1]).abs().mean() + (d[..., 1:, :] - d[..., :-1, :]).abs().mean()
    return d.abs().mean() + 3 * d.square().mean() + 0.5 * edges


def train(sprites: Sprites, seconds: float, out: Path, device: torch.device, batch: int) -> None:
    torch.manual_seed(SEED)
    generator = torch.Generator(device).manual_seed(SEED)
    network = Autoencoder(PARAMS).to(device, memory_format=torch.channels_last)
    model = Normalised(network).to(device)
    inner = [p for n, p in network.named_parameters() if p.ndim == 4 and "conv_in" not in n and "conv_out" not in n]
    others = [p for p in network.parameters() if all(p is not q for q in inner)]
    optimiser = Optimiser([(p, 1) for p in inner], others, RATE)
    average = Average(network, 0.998)
    compiled = torch.compile(model, dynamic=False) if device.type == "cuda" else model
    step, start, shown = 0, time.monotonic(), 0.0
    while (elapsed := time.monotonic() - start) < seconds:
        done = elapsed / seconds
        drawn = scene.draw(batch - batch // 4, len(sprites), 0.5, generator)
        x = torch.cat([sprites.render(drawn, generator), sprites.render_freely(batch // 4, generator)])
        x = x[torch.randperm(batch, generator=generator, device=device)].contiguous(memory_format=torch.channels_last)
        noise = NOISE * torch.rand(batch, generator=generator, device=device)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            picture, small, mean, variance = compiled(x, noise, torch.tensor(done > SETTLED, device=device))
        loss = loss_of(picture, x) + 0.15 * loss_of(small, F.avg_pool2d(x[: len(small)], 2))
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step(rate_factor(done, 0.02, 0.4))
        average.update()
        if done <= SETTLED:
            model.mean.lerp_(mean, 0.02)
            model.variance.lerp_(variance, 0.02)
        step += 1
        if step == 1:
            start = time.monotonic()  # compiling does not count
        if elapsed - shown > 20:
            shown = elapsed
            print(f"autoencoder {elapsed:4.0f} s step {step} loss {loss.item():.4f}", flush=True)
    average.swap()
    model.fold()
    print(f"autoencoder: {step} steps of {batch}")
    report(network, sprites, device)
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, out / "autoencoder.safetensors")


@torch.no_grad()
def report(network: Autoencoder, sprites: Sprites, device: torch.device, count: int = 512) -> None:
    """Print PSNR on held-out scenes in full and half-precision weights, and the formatted latents' statistics."""
    x = held_out_pictures(sprites, count, device)
    z = torch.cat([SD3.process_in(network.encode(part)) for part in x.split(64)])
    print(f"held-out PSNR {psnr(network, x):.2f} dB, latent mean {z.mean():+.3f} deviation {z.std():.3f}")


def held_out_pictures(sprites: Sprites, count: int, device: torch.device) -> Tensor:
    """Pictures of scenes no training saw, half of them of two subjects."""
    generator = torch.Generator(device).manual_seed(SEED + 1)
    candidates = [draw_any(count * 20, len(sprites), share, generator) for share in (0.0, 1.0)]
    chosen = [drawn[scene.held_out(drawn).nonzero()[: count // 2, 0]] for drawn in candidates]
    return sprites.render(scene.concatenate(chosen), generator)


def draw_any(count: int, subjects: int, pair_share: float, generator: torch.Generator) -> scene.Scenes:
    def whole(low: int, high: int) -> Tensor:
        return torch.randint(low, high, (count,), generator=generator, device=generator.device)

    first = whole(0, subjects)
    layout = whole(scene.BESIDE, scene.ABOVE + 1) if pair_share else torch.zeros_like(first)
    second = whole(0, subjects) if pair_share else first
    return scene.Scenes(first, second, layout, whole(0, len(scene.GROUNDS)))


@torch.no_grad()
def psnr(network: Autoencoder, x_B3HW: Tensor) -> float:
    """Mean over pictures of the peak signal-to-noise ratio of 0..1 colours, in dB."""
    out = torch.cat([network.decode(network.encode(part)) for part in x_B3HW.split(64)])
    error = ((out.float().clamp(-1, 1) - x_B3HW) / 2).square().mean((1, 2, 3))
    return float((-10 * error.log10()).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batch", type=int, default=BATCH)
    options = parser.parse_args()
    device = torch.device(options.device)
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True
    options.out.mkdir(parents=True, exist_ok=True)
    train(Sprites.read(SPRITES, device), options.seconds, options.out, device, options.batch)


if __name__ == "__main__":
    main()
