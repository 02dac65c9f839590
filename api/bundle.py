"""Many ES modules as one, so that the page comes in one request: every module in a function of its own, in the order of
their imports.

It takes the plain forms the page is written in and refuses others: `import { a, b as c } from "./x.js";`,
`import * as x from "./x.js";`, `export` before a `const`, `function` or `class`, `export { a, b };`, and no circle of
imports. Comments and indents go; lines stay lines, so that the source map is one line for each.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

_IMPORT: Final = re.compile(
    r'^import (?:\* as (?P<all>\w+)|\{(?P<names>[^}]*)\}) from "(?P<path>\.[^"]+)";$', re.MULTILINE
)
_EXPORT: Final = re.compile(r"^export (?=(?:async )?(?:const|class|function\*?) (\w+))", re.MULTILINE)
_LIST: Final = re.compile(r"^export \{([\w\s,]*)\};$", re.MULTILINE)
_LATER: Final = re.compile(r'\bimport\("(\.[^"]+)"\)')
_COMMENT: Final = re.compile(r"/\*\*.*?\*/", re.DOTALL)
_INDENT: Final = re.compile(r"^[ \t]+|[ \t]+$", re.MULTILINE)
_OTHER: Final = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


@dataclass(frozen=True)
class Bundle:
    """`code` ends with the first module, run. `stands` is, for each of the others by name, the module that gives what
    it exports out of the bundle: what is imported later shares it."""

    code: str
    map: str
    stands: Mapping[str, str]


def bundle(read: Callable[[str], str], first: str) -> Bundle:
    """The module `first` with all it imports. `read` gives the text of a module by its path. Raises ValueError for a
    form of import or export that it does not take, and for a circle."""
    order = list[str]()
    sources = dict[str, str]()
    _visit(first, read, sources, order, ())
    number = {name: f"${index}" for index, name in enumerate(order)}
    parts, sections, line = list[str](), list[object](), 0
    for name in order[:-1]:
        body, exported = _rewritten(name, sources[name], number)
        sections.append(_section(name, line + 1, body))
        parts.append(f"const {number[name]} = (() => {{\n{body}\nreturn {{ {', '.join(exported)} }};\n}})();")
        line += body.count("\n") + 4
    body, _ = _rewritten(first, sources[first], number)
    sections.append(_section(first, line + 1, body))
    names = ", ".join(number[name] for name in order[:-1])
    parts.append(f"void (async () => {{\n{body}\n}})();\nexport {{ {names} }};\n//# sourceMappingURL={first}.map\n")
    stands = {name: _stand(name, sources[name], number[name], first) for name in order[:-1]}
    return Bundle("\n".join(parts), json.dumps({"version": 3, "sections": sections}), stands)


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


def _rewritten(name: str, source: str, number: Mapping[str, str]) -> tuple[str, list[str]]:
    """The text of a module as the body of a function, and what it exports."""

    def imported(match: re.Match[str]) -> str:
        module = number[target_of(name, match["path"])]
        if match["all"]:
            return f"const {match['all']} = {module};"
        return f"const {{{match['names'].replace(' as ', ': ')}}} = {module};"

    told = _COMMENT.sub(lambda match: "\n" * match[0].count("\n"), source)
    told = _INDENT.sub("", told)
    body = _LIST.sub("", _EXPORT.sub("", _IMPORT.sub(imported, told)))
    body = _LATER.sub(lambda match: f'import("./{target_of(name, match[1])}")', body)
    if wrong := _OTHER.search(body):
        raise ValueError(f"expected imports and exports by name in {name}, got {wrong[0]!r:.100}")
    return body, _exported(source)


def _exported(source: str) -> list[str]:
    lists = (name.strip() for found in _LIST.findall(source) for name in found.split(","))
    return [*_EXPORT.findall(source), *filter(None, lists)]


def _section(name: str, line: int, body: str) -> object:
    lines = body.count("\n") + 1
    source = {"version": 3, "sources": [f"/web/{name}"], "names": [], "mappings": "AAAA" + ";AACA" * (lines - 1)}
    return {"offset": {"line": line, "column": 0}, "map": source}


def _stand(name: str, source: str, module: str, first: str) -> str:
    path = os.path.relpath(first, PurePosixPath(name).parent)
    path = path if path.startswith(".") else f"./{path}"
    return f'import {{ {module} }} from "{path}";\nexport const {{ {", ".join(_exported(source))} }} = {module};\n'
