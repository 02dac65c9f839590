"""Train an autoencoder: `python -m bench.train_demo.train_autoencoder --kind sd3 --seconds 300 --out DIR`.

The latent is normalised per channel inside the training graph and handed to the decoder in the raw scale of the
family's latent format, so that folding the statistics into the encoder's last convolution at the end is exact.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from bench.train_demo import scenes as scene
from bench.train_demo.loop import TELL
from bench.train_demo.optimiser import Average, Optimiser, rate_factor
from bench.train_demo.parallel import Group
from bench.train_demo.scenes import Sprites
from bench.train_demo.vocabulary import FLUENT, SPRITES
from diffusion.latents import SD3, SD15, LatentFormat
from diffusion.networks.autoencoder import Autoencoder, AutoencoderParams
from diffusion.weights import Weights

PARAMS = AutoencoderParams(channels=64, multipliers=(1, 1, 2, 2), res_blocks=1, latent_channels=16, quant_conv=False)
SD15_PARAMS = AutoencoderParams(channels=32, multipliers=(1, 2, 3, 4), res_blocks=1, latent_channels=4)


@dataclass(frozen=True)
class Kind:
    """One autoencoder: its network, the latent format of its family, and the sprites it is to know."""

    params: AutoencoderParams
    latent_format: LatentFormat
    sprites: tuple[Path, ...]
    settled: float  # share of the training after which the latent statistics are kept fixed


KINDS = {"sd3": Kind(PARAMS, SD3, (SPRITES,), 0.7), "sd15": Kind(SD15_PARAMS, SD15, (SPRITES, FLUENT), 1)}
Coder = Callable[[Tensor], Tensor]
BATCH = 128
RATE = 1.5e-3
NOISE = 0.12  # most noise added to unit-variance latents, so that the decoder forgives a painter's small errors
SEED = 11


class Normalised(nn.Module):
    """The autoencoder with its latents brought to zero mean and unit variance per channel."""

    def __init__(self, network: Autoencoder, latent_format: LatentFormat) -> None:
        super().__init__()
        self.network, self.latent_format = network, latent_format
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
        decode, raw = self.network.decode, self.latent_format.process_out
        return decode(raw(z)), decode(raw(small)), *statistics

    @torch.no_grad()
    def fold(self) -> None:
        """Move the normalisation and the latent format's scale into the encoder's last convolution."""
        scale = (self.variance + 1e-6).rsqrt() / self.latent_format.scale
        shift = self.latent_format.shift - self.mean * scale
        conv, channels = self.network.quant_conv or self.network.encoder.conv_out, len(scale)
        conv.weight[:channels] *= scale[:, None, None, None]
        conv.bias[:channels] = conv.bias[:channels] * scale + shift


def loss_of(out: Tensor, x: Tensor) -> Tensor:
    """Absolute and squared error, and absolute error of differences between neighbours (edges)."""
    d = out.float() - x.float()
    edges = (d[..., 1:] - d[..., :-1]).abs().mean() + (d[..., 1:, :] - d[..., :-1, :]).abs().mean()
    return d.abs().mean() + 3 * d.square().mean() + 0.5 * edges


def train(kind: Kind, sprites: Sprites, seconds: float, group: Group, batch: int) -> Autoencoder:
    """An autoencoder trained for so many seconds, the statistics of its latents folded in."""
    device = group.device
    torch.manual_seed(SEED)
    network = Autoencoder(kind.params).to(device, memory_format=torch.channels_last)
    torch.manual_seed(SEED + 1000 * group.rank)  # the noise on the latents
    generator = torch.Generator(device).manual_seed(SEED + 1000 * group.rank)
    model = Normalised(network, kind.latent_format).to(device)
    inner = [p for n, p in network.named_parameters() if p.ndim == 4 and "conv_in" not in n and "conv_out" not in n]
    others = [p for p in network.parameters() if all(p is not q for q in inner)]
    optimiser = Optimiser([(p, 1) for p in inner], others, RATE)
    average = Average(network, 0.998)
    compiled = torch.compile(model, dynamic=False) if device.type == "cuda" else model
    step, start, elapsed, shown = 0, time.monotonic(), 0.0, 0.0
    while elapsed < seconds:
        done = elapsed / seconds
        x = pictures(sprites, batch, generator)
        noise = NOISE * torch.rand(batch, generator=generator, device=device)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            picture, small, mean, variance = compiled(x, noise, torch.tensor(done > kind.settled, device=device))
        loss = loss_of(picture, x) + 0.15 * loss_of(small, F.avg_pool2d(x[: len(small)], 2))
        loss.backward()
        group.average_gradients(network.parameters())
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.set_rate(rate_factor(done, 0.02, 0.4))
        optimiser.step()
        network.zero_grad(set_to_none=True)
        average.count()
        average.update()
        if done <= kind.settled:
            model.mean.lerp_(mean, 0.02)
            model.variance.lerp_(variance, 0.02)
        step += 1
        if step == 1:
            start = time.monotonic()  # compiling does not count
        if step % TELL == 0:
            elapsed = group.mean(time.monotonic() - start)
        if elapsed - shown > 20:
            shown = elapsed
            group.align(model)
            if group.rank == 0:
                print(f"autoencoder {elapsed:4.0f} s step {step} loss {loss.item():.4f}", flush=True)
    average.swap()
    group.align(model)
    model.fold()
    if group.rank == 0:
        print(f"autoencoder: {step} steps of {group.size} x {batch}")
    return network


def pictures(sprites: Sprites, count: int, generator: torch.Generator) -> Tensor:
    """Pictures to learn from, in any order: three quarters of scenes, half of them pairs, the rest free."""
    drawn = scene.draw(count - count // 4, len(sprites), 0.5, generator)
    x = torch.cat([sprites.render(drawn, generator), sprites.render_freely(count // 4, generator)])
    order = torch.randperm(count, generator=generator, device=generator.device)
    return x[order].contiguous(memory_format=torch.channels_last)


def read_autoencoder(path: Path, device: torch.device | str = "cpu") -> Autoencoder:
    """The autoencoder this module trained, or that of an exported checkpoint; not to be trained."""
    weights = Weights.open(path)
    part = weights.with_prefix("first_stage_model.") or weights
    autoencoder = Autoencoder(AutoencoderParams.from_shapes(part.shapes))
    autoencoder.load_state_dict({name: part[name].float() for name in part.shapes})
    return autoencoder.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)


def save_half(network: nn.Module, path: Path) -> None:
    save_file({name: tensor.half().contiguous() for name, tensor in network.state_dict().items()}, path)


@torch.no_grad()
def report(network: Autoencoder, latent_format: LatentFormat, sprites: Sprites, count: int = 512) -> None:
    """Print PSNR on held-out scenes and the formatted latents' statistics."""
    x = held_out_pictures(sprites, count, sprites.full.device)
    z = torch.cat([latent_format.process_in(network.encode(part)) for part in x.split(64)])
    quality = psnr(network.encode, network.decode, x)
    print(f"held-out PSNR {quality:.2f} dB, latent mean {z.mean():+.3f} deviation {z.std():.3f}")


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
def psnr(encode: Coder, decode: Coder, x_B3HW: Tensor) -> float:
    """Mean over pictures of the peak signal-to-noise ratio of 0..1 colours, in dB."""
    out = torch.cat([decode(encode(part)) for part in x_B3HW.split(64)])
    error = ((out.float().clamp(-1, 1) - x_B3HW) / 2).square().mean((1, 2, 3))
    return float((-10 * error.log10()).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=KINDS, default="sd3")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batch", type=int, default=BATCH, help="of each process")
    options = parser.parse_args()
    group, kind = Group.join(options.device), KINDS[options.kind]
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True
    sprites = Sprites.read(group.device, *kind.sprites)
    network = train(kind, sprites, options.seconds, group, options.batch)
    if group.rank == 0:
        report(network, kind.latent_format, sprites)
        options.out.mkdir(parents=True, exist_ok=True)
        weights = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
        save_file(weights, options.out / "autoencoder.safetensors")
    group.leave()


if __name__ == "__main__":
    main()
