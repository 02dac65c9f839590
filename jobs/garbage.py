"""When the interpreter looks for cycles of unreachable objects: for a process that makes many objects at a time."""

from __future__ import annotations

import gc


def settle() -> None:
    """Leave what start-up made out of every later collection, and collect less often.

    A document of thousands of nodes is hundreds of thousands of objects that all live to its end: at the interpreter's
    defaults, looking through them again and again costs as much as the work on them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)
