"""`comfy.model_management`: devices and memory. Weft moves weights by itself, so what asks for that does nothing."""

from __future__ import annotations

import gc
import os
from typing import Any, Final

import torch
from torch import Tensor

from compat.packs.running import progress
from diffusion.residency.place import available
from graph.context import Cancelled

InterruptProcessingException: Final = Cancelled
OOM_EXCEPTION: Final = torch.OutOfMemoryError


def get_torch_device() -> torch.device:
    """Where tensors belong in the running node."""
    return torch.device(progress().context.device)


def intermediate_device() -> torch.device:
    """Where what goes from node to node lies."""
    return torch.device("cpu")


def _host(*_: object, **__: object) -> torch.device:
    return torch.device("cpu")


unet_offload_device = text_encoder_offload_device = vae_offload_device = unet_inital_load_device = _host


def text_encoder_device() -> torch.device:
    return get_torch_device()


def vae_device() -> torch.device:
    return get_torch_device()


def vae_dtype(*_: object, **__: object) -> torch.dtype:
    return torch.float32


def unet_dtype(*_: object, **__: object) -> torch.dtype:
    return torch.float16 if get_torch_device().type == "cuda" else torch.float32


def should_use_fp16(device: Any = None, *_: object, **__: object) -> bool:
    return torch.device(device or get_torch_device()).type == "cuda"


def should_use_bf16(device: Any = None, *_: object, **__: object) -> bool:
    return should_use_fp16(device) and torch.cuda.is_bf16_supported()


def is_device_cpu(device: Any) -> bool:
    return torch.device(device).type == "cpu"


def is_device_mps(device: Any) -> bool:
    return torch.device(device).type == "mps"


def is_device_cuda(device: Any) -> bool:
    return torch.device(device).type == "cuda"


def get_free_memory(dev: Any = None, torch_free_too: bool = False) -> Any:
    """Bytes free on a device; with `torch_free_too` the same twice, as nothing is set aside."""
    device = torch.device(dev or get_torch_device())
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else available()
    return (free, free) if torch_free_too else free


def get_total_memory(dev: Any = None, torch_total_too: bool = False) -> Any:
    device = torch.device(dev or get_torch_device())
    total = (
        torch.cuda.mem_get_info(device)[1]
        if device.type == "cuda"
        else os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    )
    return (total, total) if torch_total_too else total


def soft_empty_cache(*_: object, **__: object) -> None:
    """Give back what nothing holds."""
    gc.collect()
    if get_torch_device().type == "cuda":
        torch.cuda.empty_cache()


def _nothing(*_: object, **__: object) -> None:
    """Weights come to the device when they are used, and leave it when others need the room."""


load_models_gpu = load_model_gpu = free_memory = unload_all_models = cleanup_models = unload_model_clones = _nothing


def cast_to_device(tensor: Tensor, device: Any, dtype: torch.dtype, copy: bool = False) -> Tensor:
    return tensor.to(device, dtype, copy=copy)


def cast_to(
    weight: Tensor, dtype: Any = None, device: Any = None, non_blocking: bool = False, copy: bool = False
) -> Tensor:
    return weight.to(device=device, dtype=dtype, non_blocking=non_blocking, copy=copy)


def dtype_size(dtype: torch.dtype) -> int:
    return dtype.itemsize


def throw_exception_if_processing_interrupted() -> None:
    """Raises Cancelled where the job was cancelled."""
    progress().stop_if_cancelled()


def processing_interrupted() -> bool:
    try:
        progress().stop_if_cancelled()
    except Cancelled:
        return True
    return False
