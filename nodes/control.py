"""Nodes that choose: what is not chosen never runs."""

from __future__ import annotations

from typing import Annotated, Generic, NamedTuple, TypeVar

from graph import Lazy, Slider, node

T = TypeVar("T")


class Chosen(NamedTuple, Generic[T]):
    value: T


@node("If", category="control", title="If")
async def if_(condition: bool, on_true: Lazy[T], on_false: Lazy[T]) -> Chosen[T]:
    """One of two values; what makes the other never runs.

    condition: which one. on_true, on_false: of one type, which is the type of the output.
    """
    return Chosen(await (on_true if condition else on_false))


@node("Switch", category="control", title="Switch")
async def switch(index: Annotated[int, Slider(0, 1000)], values: list[Lazy[T]]) -> Chosen[T]:
    """One of many values; what makes the others never runs.

    index: which of the values, from 0. values: any number of links, all of one type.
    """
    if index >= len(values):
        raise ValueError(f"expected an index from 0 to {len(values) - 1}, got {index}")
    return Chosen(await values[index])


@node("Coalesce", category="control", title="First that is there")
async def coalesce(values: list[Lazy[T]]) -> Chosen[T]:
    """The first value that is not nothing; what makes the ones after it never runs.

    values: any number of links, all of one type, in order of preference.
    """
    for value in values:
        if (found := await value) is not None:
            return Chosen(found)
    raise ValueError(f"expected a value among {len(values)}, got none")
