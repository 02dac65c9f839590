"""Memory of loading a network and of its first step, beside its weights and the work of a step: is anything held twice?

`python -m bench.memory [--device cpu|cuda:0] [--only NAME] [--small] [--stored float16] [--side 64]` writes each
family's network with random weights (`--small`: with fewer or narrower blocks) and loads it as the worker does, in a
process of its own for every figure, in which the small network took a step before. The reference is the weights in the
precision they are computed in plus what a later step allocates, once everything that is free went back to the system.
Of the host's memory, pages of the mapped file count only where they are the weights themselves. On a GPU also: the same
with room for 0.4 of the weights, block by block, and the time of steps. On two CPU cores, full size, stored as float16,
computed in float32, it printed

    SD1.5, cpu: weights 3438.1 MB, work of a step 462.1 MB
      load and first step: 3944.5 MB, ratio 1.011 (at most 1.05)
    SDXL, cpu: weights 10269.9 MB, work of a step 191.8 MB
      load and first step: 10473.5 MB, ratio 1.001 (at most 1.05)

the latter with `--side 32`. On an H200 the ratios were SD3 medium 1.012, PixArt-Sigma 1.001, DiT-XL/2 1.017, Flux dev
1.000, and on an H100 SD1.5 1.007, SDXL 1.020, SD3.5 large 1.014; in blocks at most 1.011, with the same result.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import torch
from safetensors.torch import save_file
from torch import Tensor

from diffusion.loader import load_dit, load_mmdit, load_unet
from diffusion.model import Model
from diffusion.networks.dit import DiT
from diffusion.networks.flux import FluxParams
from diffusion.networks.mmdit import MMDiTParams
from diffusion.networks.unet import UNetParams
from diffusion.residency import Residency, place_of
from tests.diffusion.networks import published
from tests.diffusion.tiny import Params, module_of

LIMIT = 1.05
ROOM = 0.4
STEPS = 6


class Case(NamedTuple):
    """A family's network; `text`: tokens and their width."""

    params: Params
    small: Params
    load: Callable[[Path, Residency], Model]
    text: tuple[int, int]
    y_dim: int | None = None


def case(params: Params, load: Callable[[Path, Residency], Model], text: tuple[int, int], **less: int) -> Case:
    y_dim = params.y_dim if isinstance(params, UNetParams | MMDiTParams | FluxParams) else None
    y_dim = None if y_dim is None else y_dim + isinstance(params, FluxParams)  # and the guidance
    return Case(params, replace(params, **less), load, text, y_dim)


CASES: Mapping[str, Case] = MappingProxyType(
    {
        "SD1.5": case(published.SD1_5, load_unet, (77, 768), channels=64),
        "SDXL": case(published.SDXL, load_unet, (77, 2048), channels=64),
        "SD3 medium": case(published.SD3_MEDIUM, load_mmdit, (154, 4096), depth=8, width=512),
        "SD3.5 large": case(published.SD3_5_LARGE, load_mmdit, (154, 4096), depth=8, width=512),
        "Flux dev": case(published.FLUX_DEV, load_mmdit, (256, 4096), width=1024, double_blocks=2, single_blocks=4),
        "PixArt-Sigma": case(published.PIXART_SIGMA, load_dit, (300, 4096), depth=6),
        "DiT-XL/2": case(published.DIT_XL_2_512, load_dit, (1, 2), depth=6, positions=8),
    }
)


def write(path: Path, params: Params, dtype: torch.dtype, device: torch.device) -> None:
    """Random weights, made on the device."""
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in module_of(params).state_dict().items()}
    tensors = {name: (torch.randn(shape, device=device) * 0.02).to("cpu", dtype) for name, shape in shapes.items()}
    save_file(tensors, path)


@dataclass
class Peaks:
    """Most bytes beyond those at the start: of the device, and of the host, anonymous and of mapped files."""

    device: int = 0
    anonymous: int = 0
    mapped: int = 0


def resident() -> dict[str, int]:
    """Bytes in the machine's memory: anonymous ones, those of files, the sum, and the most it was."""
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    return {line[0]: int(line[1]) << 10 for line in lines if line[0] in ("RssAnon:", "RssFile:", "VmRSS:", "VmHWM:")}


@contextmanager
def watched(device: torch.device) -> Iterator[Peaks]:
    """The host is asked again and again what lies there, and the system in the end for the most of all together: that
    misses nothing short, but is of use only where the files' part is known, as it is while a step runs."""
    peaks, stop = Peaks(), threading.Event()
    Path("/proc/self/clear_refs").write_text("5")  # the most it was: from here on
    start = resident()
    before = 0
    if device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)

    def look() -> None:
        while not stop.wait(0.002):
            now = resident()
            peaks.anonymous = max(peaks.anonymous, now["RssAnon:"] - start["RssAnon:"])
            peaks.mapped = max(peaks.mapped, now["RssFile:"] - start["RssFile:"])

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peaks
    finally:
        stop.set()
        thread.join()
        end = resident()
        in_files = end["RssFile:"] - start["RssFile:"]
        peaks.anonymous = max(peaks.anonymous, end["VmHWM:"] - start["VmRSS:"] - in_files)
        if device.type == "cuda":
            torch.cuda.synchronize()
            peaks.device = torch.cuda.max_memory_allocated(device) - before


def step(model: Model, case: Case, side: int) -> Tensor:
    def ones(*shape: int) -> Tensor:
        return torch.ones(2, *shape, device=model.device, dtype=model.dtype)

    if isinstance(model.network, DiT) and model.network.params.positions is not None:  # knows one size
        side = model.network.params.positions * model.network.params.patch
    y_BD = None if case.y_dim is None else ones(case.y_dim)
    with torch.no_grad():
        return model.output(
            ones(model.latent_format.channels, side, side), ones().float() * 500, ones(*case.text), y_BD
        )


def seconds(model: Model, case: Case, side: int) -> float:
    """The median time of a step on a GPU."""
    found: list[float] = []
    for _ in range(STEPS):
        began = time.perf_counter()
        step(model, case, side)
        torch.cuda.synchronize()
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def warm_up(case: Case, path: Path, device: torch.device, side: int) -> None:
    """What libraries take once for a kind of network, whatever its size, such as the code of their kernels."""
    small = path.with_name("small.safetensors")
    if not small.exists():
        write(small, case.small, torch.float16, torch.device("cpu"))
    step(case.load(small, Residency(place_of(str(device)))), case, side)


def give_back() -> None:
    """What is free in the heap goes back to the system: memory kept for later counts as nobody's work."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)


def child(what: str, case: Case, path: Path, device: torch.device, side: int) -> None:
    """One figure: `first` step of a network loaded as the worker does, `later` step, or in `blocks`."""
    warm_up(case, path, device, side)
    place = place_of(str(device))
    weights = sum(p.nbytes for p in case.load(path, Residency(place)).network.parameters())
    residency = Residency(place, int(weights * ROOM) if what == "blocks" else None)
    give_back()
    with watched(device) as peaks:
        model = case.load(path, residency)
        made = step(model, case, side)
    if what == "later":
        give_back()
        with watched(device) as peaks:
            made = step(model, case, side)
    checksum = float(made.float().abs().mean())
    took = seconds(model, case, side) if device.type == "cuda" else None
    print(json.dumps({"weights": weights, "seconds": took, "checksum": checksum, **vars(peaks)}))


def measured(what: str, name: str, path: Path, options: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.memory", "--child", what, "--only", name, "--file", str(path)]
    command += ["--device", options.device, "--side", str(options.side)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def report(name: str, path: Path, options: argparse.Namespace) -> None:
    on_gpu = options.device != "cpu"
    first, later = measured("first", name, path, options), measured("later", name, path, options)
    shared = not on_gpu and options.stored == "float32"  # the mapped pages are the weights

    def used(peaks: dict[str, float]) -> float:
        return peaks["device"] if on_gpu else peaks["anonymous"] + (peaks["mapped"] if shared else 0)

    work = later["device"] if on_gpu else later["anonymous"]
    weights, ratio = first["weights"], used(first) / (first["weights"] + work)
    print(f"{name}, {options.device}: weights {mb(weights)}, work of a step {mb(work)}")
    print(f"  load and first step: {mb(used(first))}, ratio {ratio:.3f} (at most {LIMIT})")
    print(f"  of the host's memory: {mb(first['anonymous'])} anonymous, {mb(first['mapped'])} of files")
    if on_gpu:
        print(f"  a later step: {later['seconds'] * 1e3:.1f} ms")
        blocks = measured("blocks", name, path, options)
        ratio = blocks["device"] / (weights * ROOM + work)
        same = blocks["checksum"] == first["checksum"]
        print(f"  with room for {ROOM} of the weights: {mb(blocks['device'])}, ratio {ratio:.3f}, same result: {same}")
        print(f"  a step: {blocks['seconds'] * 1e3:.1f} ms")


def mb(count: float) -> str:
    return f"{count / 1e6:.1f} MB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda:0" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--only", choices=CASES, help="one of the families")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--stored", default="float16", choices=["float16", "bfloat16", "float32"])
    parser.add_argument("--side", type=int, default=64, help="of the latent")
    parser.add_argument("--file", type=Path)
    parser.add_argument("--child")
    options = parser.parse_args()
    device = torch.device(options.device)
    if options.child:
        child(options.child, CASES[options.only], options.file, device, options.side)
        return
    for name in (options.only,) if options.only else CASES:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "network.safetensors"
            params = CASES[name].small if options.small else CASES[name].params
            write(path, params, getattr(torch, options.stored), device)
            report(name, path, options)


if __name__ == "__main__":
    main()
