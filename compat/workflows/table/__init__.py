"""The classes of ComfyUI that have a counterpart here, one entry each; `compat.workflows.kinds` tells how to read them.

Those that are written in other classes first (`rewrites.py`) stand here in the form they have then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from compat.workflows.kinds import Kind
from compat.workflows.table.painting import CONDITIONING, LOADERS, SAMPLING
from compat.workflows.table.pictures import LATENTS, MASKS, MODELS, PICTURES

CLASSES: Final[Mapping[str, Kind]] = {
    **LOADERS,
    **CONDITIONING,
    **SAMPLING,
    **MODELS,
    **LATENTS,
    **PICTURES,
    **MASKS,
}
