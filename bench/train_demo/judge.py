"""The feature space pictures are judged in: a small convolutional network that tells the emoji apart.

It is trained on augmented sprites alone (`python -m bench.train_demo.judge`), knows neither the autoencoder nor the
painter, and is kept as `judge.safetensors` with one prototype per subject: the mean feature of its sprite over all
grounds.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from bench.train_demo import scenes as scene
from bench.train_demo.optimiser import rate_factor
from bench.train_demo.scenes import GROUNDS, SIDE, Scenes, Sprites
from bench.train_demo.vocabulary import SPRITES

WEIGHTS = Path(__file__).parent / "judge.safetensors"
CROP = 64
FEATURES = 128
_WIDTHS = (32, 64, 96, 160)
_BATCH = 1024
_SEED = 23


class Judge(nn.Module):
    """Pictures B x 3 x 64 x 64 in -1..1 to unit features B x 128."""

    def __init__(self) -> None:
        super().__init__()
        before = (3, *_WIDTHS)
        self.levels = nn.ModuleList(
            nn.Sequential(_conv(before[n], width), _conv(width, width)) for n, width in enumerate(_WIDTHS)
        )
        self.head = nn.Linear(_WIDTHS[-1] * 16, FEATURES)

    def forward(self, x_B3HW: Tensor) -> Tensor:
        for level in self.levels:
            x_B3HW = F.max_pool2d(level(x_B3HW), 2)
        return F.normalize(self.head(x_B3HW.flatten(1)), dim=1)


def _conv(before: int, width: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(before, width, 3, padding=1), nn.GroupNorm(8, width), nn.SiLU())


def load(device: torch.device | str = "cpu") -> tuple[Judge, Tensor]:
    """The trained judge and the prototypes N x FEATURES."""
    weights = {key: value.float() for key, value in load_file(WEIGHTS).items()}
    prototypes = weights.pop("prototypes")
    judge = Judge()
    judge.load_state_dict(weights)
    return judge.eval().to(device), F.normalize(prototypes, dim=1).to(device)


def crops(pictures_B3HW: Tensor, layout: int) -> list[Tensor]:
    """Where the subjects should be, each B x 3 x CROP x CROP: the whole picture, or a window about each place."""
    if layout == scene.ALONE:
        return [F.avg_pool2d(pictures_B3HW, SIDE // CROP)]
    corners = [[round((1 + along) * SIDE / 2) - CROP // 2 for along in place] for place in scene.PLACES[layout]]
    return [pictures_B3HW[:, :, top : top + CROP, left : left + CROP] for left, top in corners]


def nearest(judge: Judge, prototypes: Tensor, crops_B3HW: Tensor) -> Tensor:
    """The subject whose prototype is nearest to each crop."""
    with torch.no_grad():
        return (judge(crops_B3HW) @ prototypes.T).argmax(1)


def train(sprites: Sprites, seconds: float, device: torch.device, batch: int) -> tuple[Judge, Tensor]:
    """A judge trained with a cosine softmax of fixed sharpness, and its prototypes."""
    torch.manual_seed(_SEED)
    generator = torch.Generator(device).manual_seed(_SEED)
    judge = Judge().to(device, memory_format=torch.channels_last)
    classes = nn.Parameter(torch.randn(len(sprites), FEATURES, device=device))
    optimiser = torch.optim.AdamW([*judge.parameters(), classes], lr=2e-3, weight_decay=0.02)
    compiled = torch.compile(judge, dynamic=False) if device.type == "cuda" else judge
    start, step = time.monotonic(), 0
    while (elapsed := time.monotonic() - start) < seconds:
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * rate_factor(elapsed / seconds, 0.03, 0.3)
        wanted = torch.randint(0, len(sprites), (batch,), generator=generator, device=device)
        x = _augmented(sprites, wanted, generator)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            features = compiled(x.contiguous(memory_format=torch.channels_last))
        logits = 24 * features.float() @ F.normalize(classes, dim=1).T
        loss = F.cross_entropy(logits, wanted, label_smoothing=0.05)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        step += 1
        if step == 1:
            start = time.monotonic()  # compiling does not count
    print(f"judge: {step} steps of {batch}, loss {loss.item():.3f}")
    return judge.eval(), _prototypes(judge, sprites)


def _augmented(sprites: Sprites, wanted: Tensor, generator: torch.Generator) -> Tensor:
    """Sprites at the size of a crop, varied a little more than scenes vary, in light and blur too."""
    count, device = len(wanted), wanted.device

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=generator, device=device)

    named = sprites.grounds[torch.randint(0, len(GROUNDS), (count,), generator=generator, device=device)]
    free = torch.rand(count, 3, generator=generator, device=device)
    colour = torch.where((uniform(0, 1) < 0.7)[:, None], named, free)
    x = colour[:, :, None, None].expand(count, 3, CROP, CROP)
    x = scene.place(x, sprites.half[wanted], uniform(0.74, 0.98), uniform(-0.14, 0.14), uniform(-0.14, 0.14)) * 2 - 1
    x = x * uniform(0.85, 1.15)[:, None, None, None] + uniform(-0.1, 0.1)[:, None, None, None]
    soft = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    x = torch.lerp(x, soft, uniform(-0.3, 1.0)[:, None, None, None])
    return x + uniform(0, 0.08)[:, None, None, None] * torch.randn(x.shape, generator=generator, device=device)


@torch.no_grad()
def _prototypes(judge: Judge, sprites: Sprites) -> Tensor:
    subjects = torch.arange(len(sprites), device=sprites.full.device)
    total = torch.zeros(len(subjects), FEATURES, device=subjects.device)
    middle, size = torch.zeros(len(subjects), device=subjects.device), 0.87
    for ground in sprites.grounds:
        x = ground[None, :, None, None].expand(len(subjects), 3, CROP, CROP)
        x = scene.place(x, sprites.half, middle + size, middle, middle) * 2 - 1
        total += torch.cat([judge(part) for part in x.split(256)])
    return F.normalize(total, dim=1)


@torch.no_grad()
def accuracy(judge: Judge, prototypes: Tensor, sprites: Sprites, seed: int, count: int) -> dict[str, float]:
    """Share of true pictures judged right, by layout: the ceiling of any painter's figure."""
    generator = torch.Generator(prototypes.device).manual_seed(seed)
    shares = {}
    for name, layout in (("one", scene.ALONE), ("beside", scene.BESIDE), ("above", scene.ABOVE)):
        subjects = torch.randint(0, len(sprites), (2, count), generator=generator, device=prototypes.device)
        grounds = torch.randint(0, len(GROUNDS), (count,), generator=generator, device=prototypes.device)
        pictures = sprites.render(Scenes(*subjects, torch.full_like(grounds, layout), grounds), generator)
        right = [nearest(judge, prototypes, crop) == wanted for crop, wanted in zip(crops(pictures, layout), subjects)]
        shares[name] = float(torch.stack(right).all(0).float().mean())
    return shares


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=75)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batch", type=int, default=_BATCH)
    parser.add_argument("--check", type=int, default=2000, help="true pictures per layout to judge at the end")
    options = parser.parse_args()
    device = torch.device(options.device)
    sprites = Sprites.read(device, SPRITES)
    judge, prototypes = train(sprites, options.seconds, device, options.batch)
    print("true pictures judged right:", accuracy(judge, prototypes, sprites, _SEED + 1, options.check))
    weights = {**judge.state_dict(), "prototypes": prototypes}
    save_file({key: value.half().contiguous() for key, value in weights.items()}, options.out)


if __name__ == "__main__":
    main()
