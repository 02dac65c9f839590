"""Layouts of files: each maps the names another library gives a network's tensors to those of single-file checkpoints.

Networks here have the names of the files that their authors published (LDM, SGM, SD3).
"""

from __future__ import annotations

from diffusion.layouts import dit, flux, mmdit, unet
from diffusion.layouts.arranged import Tensors
from diffusion.weights import Weights

_LAYOUTS = (unet, mmdit, flux, dit)


def single_file(tensors: Weights) -> Tensors:
    """A network's tensors, prefix stripped, under the names of single files, whichever layout came.

    ValueError if they are of a layout that has more than came.
    """
    return next((layout.single_file(tensors) for layout in _LAYOUTS if layout.recognises(tensors)), tensors)
