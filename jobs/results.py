"""The pictures that jobs left, newest first, and what they were made of: found by prompt, model, seed and time."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from graph.context import OutputFile
from graph.node import NodeSpec
from graph.widgets import ModelFile, Seed, Text

AT_ONCE: Final = 200
"""How many jobs are read at once."""
MOST_WORDS: Final = 16


@dataclass(frozen=True)
class Wanted:
    """All of `words` have to be in the prompts, names of models or seeds, whatever their case; times are milliseconds
    since the epoch, `until` excluded; `before` is the number of a job, which has to be older."""

    words: Sequence[str] = ()
    since: int | None = None
    until: int | None = None
    before: int | None = None


@dataclass(frozen=True)
class Made:
    """What a workflow says of its pictures: constants of its inputs for prompts, models and seeds, each once."""

    prompts: Sequence[str]
    models: Sequence[str]
    seeds: Sequence[int]

    def has(self, words: Sequence[str]) -> bool:
        said = "\n".join((*self.prompts, *self.models, *map(str, self.seeds))).casefold()
        return all(word.casefold() in said for word in words)


@dataclass(frozen=True)
class Candidate:
    """A job with pictures, `number` being its place in time; whether it is wanted its workflow says."""

    number: int
    job: str
    finished: int
    workflow: str
    pictures: Sequence[tuple[str, OutputFile]]


def candidates(db: sqlite3.Connection, wanted: Wanted) -> list[Candidate]:
    """The newest AT_ONCE jobs with kept pictures that may be wanted: the words are somewhere in the workflow."""
    clauses = ["EXISTS (SELECT 1 FROM outputs WHERE job = jobs.id AND folder = 'output' AND media_type LIKE 'image/%')"]
    values: list[object] = []
    for limit, clause in ((wanted.since, "finished >= ?"), (wanted.until, "finished < ?"), (wanted.before, "seq < ?")):
        if limit is not None:
            clauses.append(clause)
            values.append(limit)
    for word in wanted.words:
        if not word.isascii() and word.lower() != word.upper():
            continue  # SQLite knows the case of ASCII letters only
        # A text may have been sent as it is or with its letters escaped.
        patterns = [json.dumps(word, ensure_ascii=escaped)[1:-1] for escaped in (False, True)]
        clauses.append("(instr(lower(workflow), lower(?)) OR instr(lower(workflow), lower(?)))")
        values += patterns
    found = db.execute(
        f"SELECT seq, id, finished, workflow FROM jobs WHERE {' AND '.join(clauses)}"  # noqa: S608
        " AND finished IS NOT NULL ORDER BY seq DESC LIMIT ?",
        [*values, AT_ONCE],
    ).fetchall()
    return [Candidate(number, job, finished, workflow, _pictures(db, job)) for number, job, finished, workflow in found]


def _pictures(db: sqlite3.Connection, job: str) -> list[tuple[str, OutputFile]]:
    rows = db.execute(
        "SELECT node, name, media_type, width, height, folder FROM outputs"
        " WHERE job = ? AND folder = 'output' AND media_type LIKE 'image/%' ORDER BY node, position",
        (job,),
    )
    return [(node, OutputFile(*fields)) for node, *fields in rows]


def forget(db: sqlite3.Connection, name: str) -> bool:
    """No job has the file `name` as a result any more; whether one had."""
    return db.execute("DELETE FROM outputs WHERE folder = 'output' AND name = ?", (name,)).rowcount > 0


def made_of(workflow: object, registry: Mapping[str, NodeSpec]) -> Made:
    """What a workflow says of its pictures; nothing of nodes that are not known."""
    prompts, models, seeds = dict[str, None](), dict[str, None](), dict[int, None]()
    for type, inputs in _entries(workflow):
        spec = registry.get(type)
        for port in spec.inputs if spec is not None else ():
            value = inputs.get(port.name)
            if isinstance(port.widget, Seed):
                value = port.widget.number(value)
            match port.widget, value:
                case Text(multiline=True), str() if value.strip():
                    prompts[value] = None
                case ModelFile(), str():
                    models[value] = None
                case Seed(), int():
                    seeds[value] = None
                case _:
                    pass
    return Made(tuple(prompts), tuple(models), tuple(seeds))


def _entries(workflow: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Type and inputs of every node, those of components included."""
    if not isinstance(workflow, dict):
        return
    document = cast("dict[str, Any]", workflow)
    components = document.get("components")
    inner = cast("dict[str, Any]", components).values() if isinstance(components, dict) else ()
    for part in (document, *inner):
        nodes = cast("dict[str, Any]", part).get("nodes") if isinstance(part, dict) else None
        for entry in cast("dict[str, Any]", nodes).values() if isinstance(nodes, dict) else ():
            node = cast("dict[str, Any]", entry) if isinstance(entry, dict) else {}
            type, inputs = node.get("type"), node.get("inputs")
            if isinstance(type, str) and isinstance(inputs, dict):
                yield type, cast("dict[str, Any]", inputs)
