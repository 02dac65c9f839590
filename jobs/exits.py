"""What commands end with: exit codes, which scripts rely on, and the exception that carries one."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graph.node import NodeSpec
    from graph.problems import Problem
    from graph.workflow import Workflow


class Exit(IntEnum):
    DONE = 0
    JOB_FAILED = 1
    USAGE = 2
    INVALID = 3
    MISSING = 4
    OUT_OF_MEMORY = 5
    CANCELLED = 6
    TIMEOUT = 7
    NO_SERVER = 8
    BAD_DATA = 65
    UNAVAILABLE = 69
    CANNOT_WRITE = 73
    BAD_CONFIGURATION = 78
    INTERRUPTED = 130
    TERMINATED = 143


class Failure(Exception):
    """Ends a command with an exit code and a message."""

    def __init__(self, code: Exit, message: str) -> None:
        super().__init__(message)
        self.code = code


def problems_exit(problems: Sequence[Problem], workflow: Workflow, registry: Mapping[str, NodeSpec]) -> Exit:
    """MISSING when nothing is wrong but nodes or files this machine does not have, INVALID otherwise."""
    unknown = any(problem.code == "unknown_node" for problem in problems)
    causes = [problem for problem in problems if not (unknown and problem.code == "no_sink")]
    return Exit.MISSING if all(_is_missing(problem, workflow, registry) for problem in causes) else Exit.INVALID


def _is_missing(problem: Problem, workflow: Workflow, registry: Mapping[str, NodeSpec]) -> bool:
    if problem.code == "unknown_node":
        return True
    if problem.code != "bad_value" or problem.node is None:
        return False
    spec = registry[workflow.nodes[problem.node]["type"]]
    widget = next((port.widget for port in spec.inputs if port.name == problem.port), None)
    return widget is not None and widget.external
