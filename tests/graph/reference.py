"""What a graph of small numbers makes, and what a perfect engine runs to make it: the simplest evaluator there is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

Nodes = Mapping[str, Any]
LIMIT: Final = 6
"""Where the body of While stops."""
FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "Number": lambda value: value,
    "Add": lambda a, b: a + b,
    "Parity": lambda value: value % 2,
    "Split": lambda value: (value // 2, value % 2),
    "Show": lambda value: value,
    "Risky": lambda value: None if value % 7 == 3 else value * 2,
    "Pick": lambda condition, read: read,
    "Range": lambda value: tuple(value + i for i in range(value % 4)),
    "Total": lambda items: sum(items),  # noqa: PLW0108 - called with names
    "Below": lambda value, limit: value < limit,
    "For": lambda value, count: value + sum(range(count)),
    "While": lambda value: max(value + 1, LIMIT),
    "Map": lambda items: tuple(item + 10 for item in items),
    "Fold": lambda items, value: sum(items, value),  # noqa: PLW0108 - called with names
}
LAZY: Final[Mapping[str, str]] = {"Pick": "condition", "For": "count", "While": "", "Map": "items", "Fold": "items"}
"""What each of the kinds that are called before all is known has read, as a value, when it reads on."""
LOOPS: Final = LAZY.keys() - {"Pick"}


class Reference:
    """Knows every computation done (kind, constants, values read) and which results are still held."""

    def __init__(self) -> None:
        self.done: set[Any] = set()
        self.held: set[Any] = set()

    def plan(self, nodes: Nodes, clock: int) -> None:
        """`made`: the value of each node demanded, None where it fails; `must`: the computations that have to run."""
        self.nodes, self.clock = {id: _without_body(entry) for id, entry in nodes.items()}, clock
        self.made, self.computation, self.must = dict[str, Any](), dict[str, Any](), Counter[Any]()
        self.running, self.nested = set[str](), Counter[Any]()
        for known in (self.done, self.held):  # what a clock said holds for one run, and each is read for itself
            known.difference_update({computation for computation in known if computation[0] == "Clock"})
        for id, entry in nodes.items():
            if entry["type"] == "Show":
                self._want(id)

    def _reads(self, id: str) -> dict[str, Any]:
        """What a node reads of its inputs: one that is lazy no more once something it reads has failed."""
        inputs, kind = self.nodes[id]["inputs"], self.nodes[id]["type"]
        first = LAZY.get(kind)
        if not first:
            return inputs
        value = self._value(inputs[first])
        if kind == "Pick":
            return {first: inputs[first], **({} if value is None else {_branch(value): inputs[_branch(value)]})}
        return {first: inputs[first]} if value is None else inputs

    def _value(self, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        made = self._ask(given["node"])
        return made[given["output"] == "rest"] if self.nodes[given["node"]]["type"] == "Split" and made else made

    def _ask(self, id: str) -> Any:
        if id not in self.made:
            reads = self._reads(id)
            values = {name: self._value(given) for name, given in reads.items()}
            kind, unread = self.nodes[id]["type"], {k: v for k, v in self.nodes[id]["inputs"].items() if k not in reads}
            constants = tuple(sorted((k, v) for k, v in unread.items() if not isinstance(v, dict)))
            linked = tuple(sorted(k for k, v in self.nodes[id]["inputs"].items() if isinstance(v, dict)))
            self.computation[id] = kind, id if kind == "Clock" else linked, constants, tuple(sorted(values.items()))
            failed = None in values.values()
            self.made[id] = None if failed else self._make(kind, values)
            if failed and kind in LAZY:
                self.must[self.computation[id]] += 1
                self._want_given(reads.get(LAZY[kind]))
            if not failed and self.computation[id] not in self.done:
                self._run(id)
        return self.made[id]

    def _make(self, kind: str, values: Mapping[str, Any]) -> Any:
        if kind == "Clock":
            return self.clock
        return FUNCTIONS[kind](*values.values()) if kind == "Pick" else FUNCTIONS[kind](**values)

    def _want(self, id: str) -> None:
        self._ask(id)
        if self.made[id] is not None and self.computation[id] not in self.held:
            self._run(id)

    def _want_given(self, given: Any) -> None:
        if isinstance(given, dict) and self._value(given) is not None:
            self._want(given["node"])

    def _run(self, id: str) -> None:
        """Any of equal nodes may be the one that runs, so what each of them reads may have to be made. A Pick is called
        before it is known what it will read, so it cannot be known to equal one that it reads from; a loop may be
        called while an equal one waits for its rounds, which they share."""
        if id not in self.running:
            self.running.add(id)
            computation = self.computation[id]
            equal = (self.computation[other] == computation for other in self._above(id))
            again = self.nodes[id]["type"] in LOOPS and computation in self.must
            self.nested[computation] += again or any(equal)
            self.must[computation] = 1 + self.nested[computation]
            handed_on = "value" if self.nodes[id]["type"] in ("For", "While", "Fold") else ""
            for name, given in self._reads(id).items():
                if name != handed_on:
                    self._want_given(given)
            for given in list(self._rounds(id)):
                self._want_given(given)

    def _rounds(self, id: str) -> Iterator[Any]:
        """What a loop waits for: its rounds as nodes like others."""
        kind, inputs = self.nodes[id]["type"], self.nodes[id]["inputs"]
        match kind:
            case "For":
                last = self._linked(id, "value", inputs["value"])
                for index in range(inputs["count"]):
                    last = self._add(f"{id}/{index + 1}/a", "Add", a=last, b=index)
                yield last
            case "While":
                last, goes_on = self._linked(id, "value", inputs["value"]), True
                for index in range(LIMIT + 1) if goes_on else ():
                    if goes_on:
                        last = self._add(f"{id}/{index + 1}/a", "Add", a=last, b=1)
                        again = self._add(f"{id}/{index + 1}/again", "Below", value=last, limit=LIMIT)
                        yield again
                        goes_on = self._value(again)
                yield last
            case "Map" | "Fold":
                last = self._linked(id, "value", inputs.get("value"))
                for index, item in enumerate(self._value(inputs["items"])):
                    given = self._linked(id, f"{index}", item)
                    operands = {"a": given, "b": 10} if kind == "Map" else {"a": last, "b": given}
                    last = self._add(f"{id}/{index + 1}/a", "Add", **operands)
                    if kind == "Map":
                        yield last
                if kind == "Fold":
                    yield last
            case _:
                pass

    def _add(self, id: str, kind: str, **inputs: Any) -> Any:
        self.nodes[id] = {"type": kind, "inputs": inputs}
        return {"node": id, "output": "int"}

    def _linked(self, id: str, name: str, given: Any) -> Any:
        """A value that is handed to a body is linked to, also where it is no node's."""
        if isinstance(given, dict):
            return given
        place = f"{id}:{name}"
        self.nodes[place], self.made[place], self.computation[place] = {"type": "", "inputs": {}}, given, place
        self.held.add(place)
        return {"node": place, "output": "value"}

    def _above(self, id: str) -> Iterator[str]:
        for given in self._reads(id).values():
            if isinstance(given, dict):
                yield given["node"]
                yield from self._above(given["node"])


def _branch(condition: int) -> str:
    return "yes" if condition % 2 else "no"


def _without_body(entry: Any) -> Any:
    inputs = {name: given for name, given in entry["inputs"].items() if name != "body"}
    return {**entry, "inputs": {k: tuple(given) if isinstance(given, list) else given for k, given in inputs.items()}}
