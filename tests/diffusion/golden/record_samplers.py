"""Records samplers.json: what the samplers of k-diffusion (MIT) make of the denoiser of two Gaussians.

`python -m tests.diffusion.golden.record_samplers FOLDER`, where FOLDER holds the package k_diffusion 0.1.1 and what its
module `sampling` imports: scipy, torchsde, torchdiffeq, tqdm.
"""

from __future__ import annotations

import importlib
import json
import math
import sys
import types
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from diffusion.prediction import Eps
from tests.diffusion.test_samplers import mixture
from tests.diffusion.test_samplers_recorded import LEVELS, RECORDED, TO_ZERO, begin, wave

NOISY = ("euler_ancestral", "dpm_2_ancestral", "dpmpp_2s_ancestral", "dpmpp_2m_sde", "dpmpp_3m_sde", "dpmpp_sde")


def sampling_of(folder: str) -> types.ModuleType:
    """k_diffusion.sampling without the rest of its package, which imports whatever trains networks."""
    sys.path.insert(0, folder)
    package = types.ModuleType("k_diffusion")
    package.__path__ = [str(Path(folder) / "k_diffusion")]
    stubs = {name: types.ModuleType(name) for name in ("torchvision", "torchvision.transforms")}
    vars(stubs["torchvision.transforms"])["functional"] = None
    sys.modules |= {"k_diffusion": package, **stubs}
    return importlib.import_module("k_diffusion.sampling")


def counted(name: str) -> Callable[[Tensor, Tensor], Tensor]:
    """Noise by the number of the call; where a step draws twice, both are increments of one Brownian motion."""
    calls = 0

    def draw(sigma: Tensor, target: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if name != "dpmpp_sde" or calls % 2:
            return wave(calls)
        middle = math.sqrt(float(sigma) * float(target))
        share = (float(sigma) - middle) / (float(sigma) - float(target))
        return math.sqrt(share) * wave(calls - 1) + math.sqrt(1 - share) * wave(calls)

    return draw


def main(folder: str) -> None:
    torch.set_default_dtype(torch.float64)
    sampling, exact = sampling_of(folder), mixture(Eps().alpha)

    def model(x: Tensor, sigma: Tensor) -> Tensor:
        return exact(x, float(sigma[0]))

    found: dict[str, list[list[float]]] = {}
    for name in RECORDED:
        levels = torch.tensor(TO_ZERO if name != "lms" else LEVELS, dtype=torch.float64)
        sample = getattr(sampling, f"sample_{name}")
        if name == "dpm_fast":
            made = sample(model, begin(), LEVELS[-1], LEVELS[0], len(LEVELS) - 1, disable=True)
        elif name == "dpm_adaptive":
            made = sample(model, begin(), LEVELS[-1], LEVELS[0], disable=True)
        elif name in NOISY:
            made = sample(model, begin(), levels, disable=True, noise_sampler=counted(name))
        else:
            made = sample(model, begin(), levels, disable=True)
        found[name] = made.tolist()
    Path(__file__).with_name("samplers.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
