"""Runs a node class of ComfyUI as the function of a node of Weft."""

from __future__ import annotations

import asyncio
import inspect
import mimetypes
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

import torch
from PIL import Image, UnidentifiedImageError

from compat.packs.classes import Declared, Input
from compat.packs.host.execution import ExecutionBlocker
from compat.packs.running import running
from compat.packs.values import NotOffered, ours, theirs
from graph.context import Context, OutputFile
from graph.fragment import Lazy
from jobs.files import parts_of

Place = Callable[[str], Path]
"""Where the folders "output" and "temp" lie."""
KEPT: Final = ("output", "temp")


def caller(node: type[Any], read: Declared, place: Place) -> Callable[..., Any]:
    """The function of a class that was read: inputs by name and `ctx`, outputs as a tuple, of a sink with its files."""

    def call(ctx: Context, **values: Any) -> tuple[Any, ...]:
        with running(ctx), torch.no_grad():
            return _run(node(), read, _given(read, values), ctx, place)

    async def call_when_ready(ctx: Context, **values: Any) -> tuple[Any, ...]:
        made = node()
        inputs = {each.name: each for each in read.inputs}
        lazy = {name: values.pop(name) for name, each in inputs.items() if each.port.lazy and name in values}
        given = {**_given(read, values), **dict.fromkeys(lazy)}
        while wanted := _wanted(made, given, lazy):
            for name in wanted:
                given[name] = _handed(inputs[name], await cast("Lazy[Any]", lazy.pop(name)), read.takes_lists)
        with running(ctx), torch.no_grad():
            return _run(made, read, given, ctx, place)

    return call_when_ready if any(each.port.lazy for each in read.inputs) else call


def _wanted(node: Any, given: Mapping[str, Any], lazy: Mapping[str, Any]) -> Sequence[str]:
    """Which of the lazy inputs the node asks for now; all, where it has no word on that."""
    if not hasattr(node, "check_lazy_status"):
        return tuple(lazy)
    asked = node.check_lazy_status(**_accepted(node.check_lazy_status, given))
    return [name for name in asked or () if name in lazy]


def _run(node: Any, read: Declared, given: Mapping[str, Any], ctx: Context, place: Place) -> tuple[Any, ...]:
    _validate(type(node), read, given)
    outputs, shown = _parts(_settled(getattr(node, type(node).FUNCTION)(**given, **_hidden(read, ctx))))
    if len(outputs) < len(read.outputs):
        raise TypeError(f"{type(node).__name__} returned {len(outputs)} values where it declares {len(read.outputs)}")
    made = [
        [ours(item, kind) for item in _unblocked(value)] if whole else ours(_unblocked(value), kind)
        for (kind, _), value, whole in zip(read.outputs, outputs, read.gives_lists)
    ]
    if getattr(node, "OUTPUT_NODE", False):
        made.append(list(_files(shown, ctx, place)))
    return tuple(made)


def _settled(result: Any) -> Any:
    return asyncio.run(result) if inspect.iscoroutine(result) else result


def _given(read: Declared, values: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs as the class takes them; what is left out of optional ones stays out."""
    found: dict[str, Any] = {}
    for each in read.inputs:
        value = values.get(each.name)
        if value is None and (each.port.optional or each.name not in values):
            continue
        found[each.name] = _handed(each, value, read.takes_lists)
    return found


def _handed(each: Input, value: Any, takes_lists: bool) -> Any:
    if each.words:
        value = each.words.get(value, value)
    if isinstance(value, list) and each.port.is_list:
        return [theirs(item, each.kind) for item in cast("list[Any]", value)]
    made = theirs(value, each.kind)
    return [made] if takes_lists else made


def _hidden(read: Declared, ctx: Context) -> dict[str, Any]:
    """What the class wants to know beside its inputs, as far as there is such a thing here."""
    known: Mapping[str, Any] = {
        "UNIQUE_ID": ctx.node,
        "PROMPT": {},
        "DYNPROMPT": None,
        "EXTRA_PNGINFO": {"workflow": dict(ctx.document)},
    }
    return {name: known.get(kind) for name, kind in read.hidden.items()}


def _validate(node: type[Any], read: Declared, given: Mapping[str, Any]) -> None:
    """ValueError where VALIDATE_INPUTS does not take the constants."""
    check = getattr(node, "VALIDATE_INPUTS", None)
    if check is None:
        return
    constants = {each.name: None if each.port.widget is None else given.get(each.name) for each in read.inputs}
    constants = {name: value for name, value in constants.items() if name in given}
    named = inspect.signature(check).parameters
    if any(name not in constants and name != "input_types" and _is_needed(named[name]) for name in named):
        return
    answer = _settled(check(**_accepted(check, constants), **({"input_types": {}} if "input_types" in named else {})))
    if answer is not True and answer is not None:
        raise ValueError(answer if isinstance(answer, str) else f"{node.__name__} does not take these inputs")


def _is_needed(parameter: inspect.Parameter) -> bool:
    return parameter.default is parameter.empty and parameter.kind in (
        parameter.POSITIONAL_OR_KEYWORD,
        parameter.KEYWORD_ONLY,
    )


def _accepted(fn: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    parameters = inspect.signature(fn).parameters
    if any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        return dict(given)
    return {name: value for name, value in given.items() if name in parameters}


def _parts(result: Any) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """Outputs, and what is to be shown."""
    match result:
        case None:
            return (), {}
        case dict():
            said = cast("dict[str, Any]", result)
            if "expand" in said:
                raise NotOffered("nodes that put other nodes in their place (`expand`)")
            return _outputs(said.get("result", ())), said.get("ui") or {}
        case _:
            return _outputs(result), {}


def _outputs(result: Any) -> Sequence[Any]:
    _unblocked(result)
    return cast("Sequence[Any]", result) if isinstance(result, tuple | list) else (result,)


def _unblocked(value: Any) -> Any:
    if isinstance(value, ExecutionBlocker):
        raise ValueError(value.message or "the node lets nothing after it run")
    return value


def _files(shown: Mapping[str, Any], ctx: Context, place: Place) -> Iterable[OutputFile]:
    """What a sink wrote, and the texts it shows, which are written too."""
    for items in shown.values():
        for item in cast("Iterable[Any]", items) if isinstance(items, list | tuple) else ():
            if isinstance(item, dict) and "filename" in item:
                entry = cast("dict[str, Any]", item)
                if entry.get("type", "output") in KEPT:
                    yield _file(entry, place)
            elif isinstance(item, str) and item:
                yield ctx.save(item.encode(), prefix="text", media_type="text/plain", width=0, height=0, temporary=True)


def _file(entry: Mapping[str, Any], place: Place) -> OutputFile:
    """ValueError for a name that leads out of its folder, or to nothing."""
    name = "/".join(part for part in (str(entry.get("subfolder") or ""), str(entry["filename"])) if part)
    name, folder = name.replace("\\", "/"), str(entry.get("type", "output"))
    path = place(folder).joinpath(*parts_of(name))
    if not path.is_file():
        raise ValueError(f"the node says that it wrote {name!r} in {folder!r}, where there is no such file")
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    try:
        with Image.open(path) as picture:
            return OutputFile(name, kind, *picture.size, folder)
    except UnidentifiedImageError:
        return OutputFile(name, kind, 0, 0, folder)
