"""Many ES modules as one, so that the page comes in one request: every module in a function of its own, in the order of
their imports.

It takes the plain forms the page is written in and refuses others: `import { a, b as c } from "./x.js";`,
`import * as x from "./x.js";`, `export` before a `const`, `function` or `class`, `export { a, b };`, and no circle of
imports. Comments, indents and empty lines go; what is left of a line stays one, and the source map leads it back.
"""

from __future__ import annotations

import json
import os
import re
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Final

_IMPORT: Final = re.compile(
    r'^import (?:\* as (?P<all>\w+)|\{(?P<names>[^}]*)\}) from "(?P<path>\.[^"]+)";$', re.MULTILINE
)
_EXPORT: Final = re.compile(r"^export (?=(?:async )?(?:const|class|function\*?) (\w+))", re.MULTILINE)
_LIST: Final = re.compile(r"^export \{([\w\s,]*)\};$", re.MULTILINE)
_LATER: Final = re.compile(r'\bimport\("(\.[^"]+)"\)')
_COMMENT: Final = re.compile(r"/\*\*.*?\*/|^[ \t]*//[^\n]*", re.DOTALL | re.MULTILINE)
_DIGITS: Final = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
_OTHER: Final = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


@dataclass(frozen=True)
class Bundle:
    """`code` ends with the first module, run. `stands` is, for each of the others by name, the module that gives what
    it exports out of the bundle: what is imported later shares it."""

    code: str
    map: str
    stands: Mapping[str, str]
    first: str
    number: Mapping[str, str]
    """by name, what stands for the module in `code`"""

    def shared(self, name: str, source: str) -> str:
        """A module that is imported later, taking out of the bundle what is there; its lines stay where they are."""
        known = set[str]()

        def imported(match: re.Match[str]) -> str:
            module = self.number.get(target_of(name, match["path"]))
            if module is None:
                return match[0]
            taken = "" if module in known else _taken(module, name, self.first)
            known.add(module)
            return taken + _bound(match, module)

        return _IMPORT.sub(imported, source)


def bundle(read: Callable[[str], str], first: str) -> Bundle:
    """The module `first` with all it imports. `read` gives the text of a module by its path. Raises ValueError for a
    form of import or export that it does not take, and for a circle."""
    order = list[str]()
    sources = dict[str, str]()
    _visit(first, read, sources, order, ())
    number = {name: f"${index}" for index, name in enumerate(order)}
    parts, sections, line = list[str](), list[object](), 0
    for name in order:
        lines, exported = _rewritten(name, sources[name], number)
        sections.append(_section(name, line + 1, lines))
        head, tail = _around(number[name], exported) if name != first else ("void (async () => {", "})();")
        parts += [head, *lines.values(), tail]
        line += len(lines) + 2
    names = ", ".join(number[name] for name in order[:-1])
    parts += [f"export {{ {names} }};", f"//# sourceMappingURL={first}.map\n"]
    stands = {name: _stand(name, sources[name], number[name], first) for name in order[:-1]}
    del number[first]
    return Bundle("\n".join(parts), json.dumps({"version": 3, "sections": sections}), stands, first, number)


def target_of(name: str, imported: str) -> str:
    """The path of a module that another one imports."""
    return os.path.normpath(PurePosixPath(name).parent / imported)


def _visit(
    name: str, read: Callable[[str], str], sources: dict[str, str], order: list[str], above: tuple[str, ...]
) -> None:
    if name in above:
        raise ValueError(f"these modules import each other in a circle: {' > '.join((*above, name))}")
    if name in sources:
        return
    sources[name] = read(name)
    for match in _IMPORT.finditer(sources[name]):
        _visit(target_of(name, match["path"]), read, sources, order, (*above, name))
    order.append(name)


def _around(variable: str, exported: Sequence[str]) -> tuple[str, str]:
    """What comes before and after the body of a module that others import."""
    return f"const {variable} = (() => {{", f"return {{ {', '.join(exported)} }}; }})();"


def _rewritten(name: str, source: str, number: Mapping[str, str]) -> tuple[dict[int, str], list[str]]:
    """The text of a module as the body of a function, its lines by their numbers, and what it exports."""

    def imported(match: re.Match[str]) -> str:
        return _bound(match, number[target_of(name, match["path"])])

    body = _IMPORT.sub(imported, _COMMENT.sub(_emptied, source))
    body = _LIST.sub(_emptied, _EXPORT.sub("", body))
    body = _LATER.sub(lambda match: f'import("./{target_of(name, match[1])}")', body)
    if wrong := _OTHER.search(body):
        raise ValueError(f"expected imports and exports by name in {name}, got {wrong[0]!r:.100}")
    return {at: line for at, each in enumerate(body.split("\n")) if (line := each.strip())}, _exported(source)


def _bound(match: re.Match[str], module: str) -> str:
    """What an import names, taken from what stands for the module."""
    names = match["all"] or f"{{{match['names'].replace(' as ', ': ')}}}"
    return f"const {names} = {module};"


def _emptied(match: re.Match[str]) -> str:
    return "\n" * match[0].count("\n")


def _exported(source: str) -> list[str]:
    lists = (name.strip() for found in _LIST.findall(source) for name in found.split(","))
    return [*_EXPORT.findall(source), *filter(None, lists)]


def _section(name: str, line: int, lines: Iterable[int]) -> object:
    """The part of the source map for the lines of a module that stand from `line` on."""
    steps = (later - before for before, later in pairwise((0, *lines)))
    mappings = ";".join(f"AA{_encoded(step)}A" for step in steps)
    source = {"version": 3, "sources": [f"/web/{name}"], "names": [], "mappings": mappings}
    return {"offset": {"line": line, "column": 0}, "map": source}


def _encoded(step: int) -> str:
    """A number from 0 on as source maps write it (ECMA-426): five bits a digit, least first, the lowest one a sign."""
    more, digit = divmod(step << 1, 32)
    text = ""
    while more:
        text += _DIGITS[digit | 32]
        more, digit = divmod(more, 32)
    return text + _DIGITS[digit]


def _stand(name: str, source: str, module: str, first: str) -> str:
    return f"{_taken(module, name, first)}\nexport const {{ {', '.join(_exported(source))} }} = {module};\n"


def _taken(module: str, name: str, first: str) -> str:
    """The import, in the module `name`, of what stands for another one in the bundle."""
    path = os.path.relpath(first, PurePosixPath(name).parent)
    path = path if path.startswith(".") else f"./{path}"
    return f'import {{ {module} }} from "{path}";'
