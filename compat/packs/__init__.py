"""Packs of nodes written for ComfyUI, run as they are: their classes become nodes, its modules are there to import."""

from compat.packs.studio import Studio

__all__ = ("Studio",)
