"""Every checkpoint family Weft knows, one a file; a file put here is found by itself."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable
from importlib import import_module

from diffusion.family import Family
from diffusion.mistaken import mistaken_for
from diffusion.networks.shapes import Shapes


def _scan() -> Iterable[Family]:
    for module in pkgutil.iter_modules(__path__):
        yield import_module(f"{__name__}.{module.name}").FAMILY


FAMILIES: tuple[Family, ...] = tuple(_scan())


def recognise(shapes: Shapes) -> Family:
    """The one family a network's tensors belong to; ValueError if there is none."""
    found = mistaken_for(shapes)
    for family in FAMILIES:
        if not found and family.recognise(shapes):
            return family
    known = ", ".join(family.title for family in FAMILIES)
    raise ValueError(f"no model of a known family in it{found or f'; known are {known}'}")


def for_towers(towers: Iterable[str], family: str | None = None) -> Family:
    """The family of that name, or that with the fewest text towers that has all of these; ValueError if none has."""
    wanted = set(towers)
    having = [known for known in FAMILIES if family in (None, known.name)]
    having = [known for known in having if wanted <= {slot.name for slot in known.text}]
    if not having:
        who = "no known family has" if family is None else f"{family} does not have"
        raise ValueError(f"{who} the text encoders {', '.join(sorted(wanted))} together")
    return min(having, key=lambda known: len(known.text))
