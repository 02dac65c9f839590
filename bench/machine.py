"""A long random life of the engine against the reference: `python -m bench.machine --steps 100000 [--seed N]`.

Prints steps, runs, nodes executed, wrong values and executions that a perfect engine would not have made; stops at the
first of either."""

from __future__ import annotations

import argparse
import random
import time

from tests.graph.machine import KINDS, Machine


def live(machine: Machine, chance: random.Random, steps: int) -> None:
    def any_pick() -> int:
        return chance.randrange(10_001)

    machine.begin(disk=chance.random() < 0.5, tight=chance.random() < 0.2)
    for _ in range(steps):
        number, what = chance.randrange(6), chance.random()
        if what < 0.30:
            machine.grow(chance.choice(sorted(KINDS)), [any_pick() for _ in range(3)], number)
        elif what < 0.40:
            machine.show(any_pick(), number)
        elif what < 0.65:
            machine.edit(any_pick(), any_pick(), number)
        elif what < 0.91:
            machine.run()
        elif what < 0.93:
            machine.tick()
        elif what < 0.94:
            machine.clear_memory()
        elif what < 0.97:
            machine.evict(any_pick())
        elif what < 0.99:
            machine.rename()
        else:
            machine.restart()
    machine.teardown()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began, done = time.perf_counter(), 0
    while done < options.steps:
        live(Machine(), random.Random(options.seed * 1_000_003 + done), 250)
        done += 250
    counts = Machine.counts
    print(f"steps {done}, runs {counts['runs']}, nodes executed {counts['nodes']}, {time.perf_counter() - began:.0f} s")
    print(f"wrong values {counts['wrong']}, extra executions {counts['extra']}")


if __name__ == "__main__":
    main()
