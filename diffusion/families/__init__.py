"""Every checkpoint family Weft knows, one a file; a file put here is found by itself."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable
from importlib import import_module

from diffusion.family import Family
from diffusion.networks.shapes import Shapes


def _scan() -> Iterable[Family]:
    for module in pkgutil.iter_modules(__path__):
        yield import_module(f"{__name__}.{module.name}").FAMILY


FAMILIES: tuple[Family, ...] = tuple(_scan())


def recognise(shapes: Shapes) -> Family:
    """The one family a network's tensors belong to; ValueError if there is none."""
    for family in FAMILIES:
        if family.recognise(shapes):
            return family
    known = ", ".join(family.title for family in FAMILIES)
    raise ValueError(f"no model of a known family in it; known are {known}")


def for_towers(names: Iterable[str]) -> Family:
    """The family with the fewest text towers that has all of these; ValueError if there is none."""
    wanted = set(names)
    having = [family for family in FAMILIES if wanted <= {slot.name for slot in family.text}]
    if not having:
        raise ValueError(f"no known family has the text encoders {', '.join(sorted(wanted))} together")
    return min(having, key=lambda family: len(family.text))
