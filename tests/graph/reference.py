"""What a graph of small numbers makes, and what a perfect engine runs to make it: the simplest evaluator there is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

Nodes = Mapping[str, Any]
FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "Number": lambda value: value,
    "Add": lambda a, b: a + b,
    "Parity": lambda value: value % 2,
    "Split": lambda value: (value // 2, value % 2),
    "Show": lambda value: value,
    "Risky": lambda value: None if value % 7 == 3 else value * 2,
    "Pick": lambda condition, read: read,
}


class Reference:
    """Knows every computation done (kind, constants, values read) and which results are still held."""

    def __init__(self) -> None:
        self.done: set[Any] = set()
        self.held: set[Any] = set()

    def plan(self, nodes: Nodes) -> None:
        """`made`: the value of each node demanded, None where it fails; `must`: the computations that have to run."""
        self.nodes, self.made, self.computation, self.must = nodes, dict[str, Any](), dict[str, Any](), Counter[Any]()
        self.running, self.nested = set[str](), Counter[Any]()
        for id, entry in nodes.items():
            if entry["type"] == "Show":
                self._want(id)

    def _reads(self, id: str) -> dict[str, Any]:
        inputs = self.nodes[id]["inputs"]
        if self.nodes[id]["type"] != "Pick":
            return inputs
        condition = self._value(inputs["condition"])
        return {
            "condition": inputs["condition"],
            **({} if condition is None else {_branch(condition): inputs[_branch(condition)]}),
        }

    def _value(self, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        made = self._ask(given["node"])
        return made[given["output"] == "rest"] if isinstance(made, tuple) else made

    def _ask(self, id: str) -> Any:
        if id not in self.made:
            reads = self._reads(id)
            values = {name: self._value(given) for name, given in reads.items()}
            kind, unread = self.nodes[id]["type"], {k: v for k, v in self.nodes[id]["inputs"].items() if k not in reads}
            constants = tuple(sorted((k, v) for k, v in unread.items() if not isinstance(v, dict)))
            linked = tuple(sorted(k for k, v in self.nodes[id]["inputs"].items() if isinstance(v, dict)))
            self.computation[id] = kind, linked, constants, tuple(sorted(values.items()))
            failed = None in values.values()
            self.made[id] = None if failed else FUNCTIONS[kind](*values.values())
            if failed and kind == "Pick":
                self.must[self.computation[id]] += 1
                if isinstance(reads["condition"], dict) and values["condition"] is not None:
                    self._want(reads["condition"]["node"])
            if not failed and self.computation[id] not in self.done:
                self._run(id)
        return self.made[id]

    def _want(self, id: str) -> None:
        self._ask(id)
        if self.made[id] is not None and self.computation[id] not in self.held:
            self._run(id)

    def _run(self, id: str) -> None:
        """Any of equal nodes may be the one that runs, so what each of them reads may have to be made. A Pick is called
        before it is known what it will read, so it cannot be known to equal one that it reads from."""
        if id not in self.running:
            self.running.add(id)
            computation = self.computation[id]
            self.nested[computation] += any(self.computation[other] == computation for other in self._above(id))
            self.must[computation] = 1 + self.nested[computation]
            for given in self._reads(id).values():
                if isinstance(given, dict):
                    self._want(given["node"])

    def _above(self, id: str) -> Iterator[str]:
        for given in self._reads(id).values():
            if isinstance(given, dict):
                yield given["node"]
                yield from self._above(given["node"])


def _branch(condition: int) -> str:
    return "yes" if condition % 2 else "no"
