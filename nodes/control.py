"""Nodes that choose, of which what is not chosen never runs, and loops over components, each round kept by itself."""

from __future__ import annotations

from typing import Annotated, Any, Generic, NamedTuple, TypeVar

from graph import Body, Gives, Lazy, Slider, node

T = TypeVar("T")


class Chosen(NamedTuple, Generic[T]):
    value: T


class Last(NamedTuple):
    value: Any


class Each(NamedTuple):
    value: list[Any]


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


@node("For", category="control", title="For")
async def for_(
    body: Annotated[Body, Gives(("value", "index"))],
    value: Lazy[Any],
    count: Annotated[int, Slider(0, 10_000)] = 3,
) -> Last:
    """Run a component again and again, each round with what the round before made.

    body: a component with an output "value" and inputs among value, index (from 0); its other inputs become inputs of
    this node. value: what the first round begins with. count: how many rounds.
    """
    for index in range(count):
        value = body(value=value, index=index)["value"]
    return Last(value)


@node("While", category="control", title="While")
async def while_(
    body: Annotated[Body, Gives(("value", "index"))],
    value: Lazy[Any],
    limit: Annotated[int, Slider(1, 10_000)] = 100,
) -> Last:
    """Run a component again and again for as long as it says so.

    body: a component with outputs "value" and "again" (a bool), inputs among value, index (from 0); its other inputs
    become inputs of this node. value: what the first round begins with. limit: more rounds than this are an error.
    """
    for index in range(limit):
        round = body(value=value, index=index)
        value = round["value"]
        if not await round["again"]:
            return Last(value)
    raise ValueError(f"expected the body to say that it is done within {limit} rounds")


@node("Map", category="control", title="Map")
async def map_(body: Annotated[Body, Gives(("item", "index"))], items: Lazy[list[Any]]) -> Each:
    """Run a component for each item of a list; the list of what the rounds made.

    body: a component with an output "value" and inputs among item, index (from 0); its other inputs become inputs of
    this node. items: a list.
    """
    return Each([body(item=items[i], index=i)["value"] for i in range(len(await items))])


@node("Fold", category="control", title="Fold")
async def fold(
    body: Annotated[Body, Gives(("value", "item", "index"))], items: Lazy[list[Any]], value: Lazy[Any]
) -> Last:
    """Run a component for each item of a list, each round with what the round before made.

    body: a component with an output "value", inputs among value, item, index (from 0); its other inputs become inputs
    of this node. items: a list. value: what the first round begins with.
    """
    for i in range(len(await items)):
        value = body(value=value, item=items[i], index=i)["value"]
    return Last(value)
