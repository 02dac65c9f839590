"""`comfy.utils`: weights from files, sizes of pictures, progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from compat.packs.host.server import encoded
from compat.packs.running import progress
from diffusion.resize import covering, resized

PROGRESS_BAR_ENABLED: Final = True
METHODS: Final[Mapping[str, str]] = {"nearest-exact": "nearest", "bislerp": "bicubic"}
"""Ways to resize that are called something else here, or have a nearest kin."""
PREVIEW_WIDTH: Final = 512


class ProgressBar:
    """How far the running node is, of `total` steps. Each call raises Cancelled where the job was cancelled."""

    def __init__(self, total: int, node_id: str | None = None) -> None:
        self.total, self.current = total, 0
        self._progress = progress()

    def update(self, value: int) -> None:
        """So many steps more."""
        self.update_absolute(self.current + value)

    def update_absolute(
        self, value: int, total: int | None = None, preview: tuple[str, Any, Any] | None = None
    ) -> None:
        """So many steps in all; `preview`: its format, a Pillow picture and how large it may be."""
        self.total = self.total if total is None else total
        self.current = min(value, self.total)
        if preview is not None:
            kind, picture, most = preview
            self._progress.context.preview(f"image/{kind.lower()}", encoded(kind, picture, most or PREVIEW_WIDTH))
        self._progress.tell(self.current, self.total)


def load_torch_file(ckpt: str, safe_load: bool = False, device: Any = None, return_metadata: bool = False) -> Any:  # noqa: ARG001
    """Tensors by name, of a safetensors file; with its metadata if asked. ValueError for any other kind of file."""
    if not str(ckpt).lower().endswith((".safetensors", ".sft")):
        raise ValueError(
            f"{Path(ckpt).name}: expected a safetensors file; a pickle can run code when it is read; convert it first"
        )
    where = str(device) if device is not None else "cpu"
    if not return_metadata:
        return load_file(ckpt, device=where)
    with safe_open(ckpt, "pt", device=where) as file:  # pyright: ignore[reportUnknownVariableType]
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118


def save_torch_file(sd: Mapping[str, Tensor], ckpt: str, metadata: Mapping[str, str] | None = None) -> None:
    save_file({name: tensor.contiguous() for name, tensor in sd.items()}, ckpt, dict(metadata) if metadata else None)


def common_upscale(samples: Tensor, width: int, height: int, upscale_method: str, crop: str) -> Tensor:
    """Pictures or latents B C H W in another size; `crop` "center" keeps proportions."""
    source = covering(samples, height, width) if crop == "center" else samples
    return resized(source, height, width, METHODS.get(upscale_method, upscale_method))


def lanczos(samples: Tensor, width: int, height: int) -> Tensor:
    return resized(samples, height, width, "lanczos")


def bislerp(samples: Tensor, width: int, height: int) -> Tensor:
    """Its nearest kin here: bicubic."""
    return resized(samples, height, width, "bicubic")


def repeat_to_batch_size(tensor: Tensor, batch_size: int, dim: int = 0) -> Tensor:
    """So many items: the first ones, or all of them again and again."""
    there = tensor.shape[dim]
    if there >= batch_size:
        return tensor.narrow(dim, 0, batch_size)
    times = [1] * tensor.ndim
    times[dim] = -(-batch_size // there)
    return tensor.repeat(times).narrow(dim, 0, batch_size)


def state_dict_prefix_replace(
    state_dict: dict[str, Any], replace_prefix: Mapping[str, str], filter_keys: bool = False
) -> dict[str, Any]:
    """Other beginnings of names, in place; with `filter_keys` a dict of those alone."""
    found: dict[str, Any] = {} if filter_keys else state_dict
    for old, new in replace_prefix.items():
        for name in [name for name in state_dict if name.startswith(old)]:
            found[new + name[len(old) :]] = state_dict.pop(name)
    return found


def state_dict_key_replace(state_dict: dict[str, Any], keys_to_replace: Mapping[str, str]) -> dict[str, Any]:
    for old, new in keys_to_replace.items():
        if old in state_dict:
            state_dict[new] = state_dict.pop(old)
    return state_dict


def get_attr(obj: Any, attr: str) -> Any:
    """What a path of names such as "a.b.c" leads to."""
    for name in attr.split("."):
        obj = getattr(obj, name)
    return obj


def set_attr(obj: Any, attr: str, value: Any) -> Any:
    """Put something where a path of names leads to; what was there."""
    *path, last = attr.split(".")
    owner = get_attr(obj, ".".join(path)) if path else obj
    before = getattr(owner, last)
    setattr(owner, last, value)
    return before


def calculate_parameters(sd: Mapping[str, Tensor], prefix: str = "") -> int:
    return sum(tensor.nelement() for name, tensor in sd.items() if name.startswith(prefix))


def get_tiled_scale_steps(width: int, height: int, tile_x: int, tile_y: int, overlap: int) -> int:
    """How many tiles it takes."""
    return len(_starts(width, tile_x, overlap)) * len(_starts(height, tile_y, overlap))


def tiled_scale(
    samples: Tensor,
    function: Callable[[Tensor], Tensor],
    tile_x: int = 64,
    tile_y: int = 64,
    overlap: int = 8,
    upscale_amount: float = 4,
    out_channels: int = 3,
    output_device: str = "cpu",
    pbar: ProgressBar | None = None,
) -> Tensor:
    """A function of pictures B C H W, tile by tile, whose results fade into each other where tiles overlap."""
    batch, _, height, width = samples.shape
    out_height, out_width = round(height * upscale_amount), round(width * upscale_amount)
    whole = torch.zeros(batch, out_channels, out_height, out_width, device=output_device)
    weight = torch.zeros(1, 1, out_height, out_width, device=output_device)
    for top in _starts(height, tile_y, overlap):
        for left in _starts(width, tile_x, overlap):
            made = function(samples[:, :, top : top + tile_y, left : left + tile_x]).to(output_device)
            y, x = round(top * upscale_amount), round(left * upscale_amount)
            fade = _fade(made.shape[2], made.shape[3], max(1, round(overlap * upscale_amount))).to(output_device)
            whole[:, :, y : y + made.shape[2], x : x + made.shape[3]] += made * fade
            weight[:, :, y : y + made.shape[2], x : x + made.shape[3]] += fade
            if pbar is not None:
                pbar.update(1)
    return whole / weight


def _starts(size: int, tile: int, overlap: int) -> list[int]:
    """Where tiles begin; the last ends with the side."""
    last = max(0, size - tile)
    return [*range(0, last, max(1, tile - overlap)), last]


def _fade(height: int, width: int, overlap: int) -> Tensor:
    def ramp(size: int) -> Tensor:
        distance = torch.arange(1, size + 1, dtype=torch.float32)
        return torch.minimum(distance, distance.flip(0)).clamp(max=overlap) / overlap

    return ramp(height).view(-1, 1) * ramp(width)
