"""SA-Solver (Xue et al., arXiv 2309.05019, algorithm 1) that calls the network once more after each correction: two
calls a step."""

from __future__ import annotations

from functools import partial

from diffusion.samplers import Sampler, sa_solver

SAMPLER = Sampler(partial(sa_solver.sample, again=True))
