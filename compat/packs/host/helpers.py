"""`node_helpers`: small things nodes share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from PIL import ImageFile, UnidentifiedImageError


def conditioning_set_values(
    conditioning: list[list[Any]], values: Mapping[str, Any] | None = None, append: bool = False
) -> list[list[Any]]:
    """The conditioning with these options; with `append` lists become longer rather than other ones."""
    found: list[list[Any]] = []
    for tokens, options in conditioning:
        changed = dict(options)
        for name, value in (values or {}).items():
            changed[name] = [*changed.get(name, []), *value] if append and isinstance(value, list) else value
        found.append([tokens, changed])
    return found


def pillow(fn: Callable[[Any], Any], arg: Any) -> Any:
    """Call Pillow; once more, taking what there is of a truncated file, where it does not take it whole."""
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    try:
        return fn(arg)
    except (OSError, UnidentifiedImageError, ValueError):
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        return fn(arg)
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def string_to_torch_dtype(string: str) -> torch.dtype | None:
    return {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}.get(string)
