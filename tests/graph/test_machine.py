"""The engine against the reference, in a short form; `python -m bench.machine` runs the long one."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.graph.machine import Machine


def test_no_wrong_value_and_no_extra_execution() -> None:
    short = settings(
        max_examples=40,
        stateful_step_count=40,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Machine, settings=short)
