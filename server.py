"""Weft's entry point: the command line, and the one place where the parts are wired together.

Each command imports what it needs when it runs: `--help` imports next to nothing, `serve` imports no torch.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.exits import Exit, Failure
from jobs.home import open_home
from jobs.options import TIERS, folders, parser, worker_arguments

if TYPE_CHECKING:
    import asyncio
    import socket

    from graph.node import NodeSpec
    from graph.workflow import Workflow
    from jobs.catalogue import Catalogue
    from jobs.engine import Engine
    from jobs.files import FileStore
    from jobs.home import HomeLock
    from jobs.packs import Foreign

VERSION = "0.1.0"
HERE = Path(__file__).resolve().parent
LEAST_AT_ONCE = 4
"""Nodes of class cpu that run at a time on a machine of few cores: one that waits for something needs none."""


def main(arguments: Sequence[str]) -> int:
    """Run one command, `serve` if none is named; its exit code."""
    chosen = list(arguments)
    if not chosen or (chosen[0].startswith("-") and chosen[0] not in ("-h", "--help", "--version")):
        chosen.insert(0, "serve")
    options = parser(VERSION).parse_args(chosen)
    every = (serve, run, validate, explain, nodes, models, merge, cache, fsck, worker)
    try:
        code = {command.__name__: command for command in every}[options.command](options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.CANNOT_WRITE
    except Failure as failure:
        print(f"weft: {failure}", file=sys.stderr)
        return failure.code
    except KeyboardInterrupt:
        return Exit.INTERRUPTED


# The parts


def pack_folders(options: argparse.Namespace) -> list[Path]:
    return [*folders("--custom-nodes", options.custom_nodes), HERE / "custom_nodes"]


def model_roots(options: argparse.Namespace) -> list[Path]:
    return [*folders("--models", options.models), HERE / "models", HERE / "models" / "demo"]


def file_store(options: argparse.Namespace, data: Path, output: Path | None = None) -> FileStore:
    from diffusion.several import read_any
    from jobs.files import FileStore
    from jobs.hashes import Hashes

    roots = [*model_roots(options), output or data / "output"]
    web = HERE / "web"
    fixed = {
        "web": [web],
        "templates": [web / "templates", HERE / "docs" / "workflows"],
        "packs": pack_folders(options),
    }
    return FileStore(roots, data, Hashes(data / "hashes.db"), fixed, output, read_any)


def stored_catalogue(options: argparse.Namespace, data: Path, files: FileStore) -> Catalogue:
    from jobs.catalogue import Catalogue

    return Catalogue(data / "catalogue.json", sources(options), files)


def sources(options: argparse.Namespace) -> list[Path]:
    """The folders of code that decide what nodes there are and what they make."""
    return [HERE / "graph", HERE / "nodes", HERE / "diffusion", HERE / "compat" / "packs", *pack_folders(options)]


def compose(options: argparse.Namespace, data: Path, files: FileStore) -> Engine:
    """The engine with all nodes. This is what imports torch."""
    # Threads of OpenMP that spin while they wait make a picture ten times slower as soon as something else runs.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    cores = max(1, (os.cpu_count() or 1) // (options.workers or 1))
    if (options.workers or 1) > 1:
        os.environ.setdefault("OMP_NUM_THREADS", str(cores))
    from graph.context import Context
    from graph.graph import Builder
    from graph.guard import guarded
    from graph.registry import Registry
    from jobs.catalogue import content_key
    from jobs.engine import Engine
    from jobs.outputs import OutputWriter
    from jobs.packs import load_packs
    from nodes import builtin
    from nodes.cache import Budgets, open_cache, open_residency
    from nodes.devices import device_bytes, device_count, device_of
    from nodes.values import NodeTraits

    built_in = builtin()
    registry, packs = load_packs(built_in, pack_folders(options), partial(packs_of_peer, options, built_in, files))
    if options.debug_values:
        registry = Registry(guarded(spec, NodeTraits(files).state) for spec in registry.values())
    writer = OutputWriter(files.root("output"), files.root("temp"))
    try:
        where, devices = device_of(options.device, options.number), device_count(options.device)
    except ValueError as error:
        raise Failure(Exit.BAD_CONFIGURATION, str(error)) from error
    workers = options.workers or devices
    sizes = {tier: getattr(options, f"cache_{tier}") for tier in TIERS}
    budgets = Budgets(**sizes, weights=options.weights_device, workers=workers, on_device=math.ceil(workers / devices))
    code = f"{content_key(sources(options))} {files.root('output')}"
    cache = open_cache(data / "cache", budgets, files, where, code)
    residency = open_residency(budgets, where, cache)
    return Engine(
        registry=registry,
        packs=packs,
        builder=Builder(registry, files),
        cache=cache,
        files=files,
        context=Context(save=writer.save, device=where, residency=residency),
        limits={"cpu": max(LEAST_AT_ONCE, cores), "io": 8},
        weights_on_host=residency.host_bytes,
        device_bytes=device_bytes(where),
    )


def packs_of_peer(options: argparse.Namespace, built_in: Sequence[NodeSpec], files: FileStore) -> Foreign:
    """What reads packs written for ComfyUI, whose modules they find from now on."""
    from compat.packs import Studio

    return Studio(built_in, files, model_roots(options), HERE).open()


# The studio


def serve(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C."""
    import asyncio
    import logging

    from jobs.home import HomeLock
    from jobs.listen import listen, token_for

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    token = token_for(options.host, options.token_file)
    data = open_home(options.data)
    lock = HomeLock(data)
    with contextlib.closing(listen(options.host, options.port)) as listener:
        return asyncio.run(serve_until_told(options, data, listener, token, lock))


async def serve_until_told(
    options: argparse.Namespace, data: Path, listener: socket.socket, token: str | None, lock: HomeLock
) -> int:
    import asyncio
    import webbrowser

    from aiohttp import web

    from api.app import build_app, login_path
    from api.config import Config
    from compat.protocol import peer_routes
    from compat.workflows import convert_json
    from diffusion.text.counting import counted
    from jobs.database import Database
    from jobs.files import remove_leftovers
    from jobs.garbage import settle
    from jobs.listen import shown_host
    from jobs.process import echo, in_background, on_signals
    from jobs.schema import MIGRATIONS
    from jobs.service import Jobs
    from jobs.staff import Workers
    from jobs.supervisor import Supervisor

    def supply(number: int) -> Supervisor:
        command = [sys.executable, str(HERE / "server.py"), *worker_arguments(options, data), "--number", str(number)]
        return Supervisor(command, data / f"worker-{number}.record", echo)

    files = file_store(options, data)
    catalogue = stored_catalogue(options, data, files)
    workers = Workers(supply, options.workers, options.attempts)
    jobs = Jobs(Database(data / "jobs.db", MIGRATIONS), catalogue, workers)
    app = build_app(Config(options.host, VERSION, token), jobs, files, counted, convert_json, peer_routes())
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    told: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    on_signals(told)
    await jobs.start()
    await runner.setup()
    await web.SockSite(runner, listener).start()
    url = f"http://{shown_host(options.host)}:{listener.getsockname()[1]}"
    lock.tell(url)
    print(f"Weft is at {url}{login_path(app)}", flush=True)
    in_background(remove_leftovers, data)
    settle()
    if not options.no_open:
        in_background(webbrowser.open, url + login_path(app))
    number = await told
    await jobs.stop()
    await runner.cleanup()
    lock.release()
    return 128 + number


def worker(options: argparse.Namespace) -> int:
    """The hidden command that `serve` starts as its worker."""
    from jobs import worker

    data = open_home(options.data)
    files = file_store(options, data)
    engine = partial(compose, options, data, files)
    worker.main(engine, warm, options.recorder, partial(count_devices, options.device), options.recycle_above)
    return Exit.DONE


def count_devices(asked: str | None) -> int:
    from nodes.devices import device_count

    return device_count(asked)


def warm() -> None:
    """Import what the first job would wait for."""
    import diffusion.text.towers  # noqa: F401  # pyright: ignore[reportUnusedImport]


# Without a server


def run(options: argparse.Namespace) -> int:
    """Run a workflow in this process: progress on standard error, paths of the results on standard output."""
    from jobs import report
    from jobs.local import refuse_invalid, run_aloud

    data = open_home(options.data)
    workflow = read_document(options, data)
    output = data / "output" if options.out is None else options.out.resolve()
    try:
        files = file_store(options, data, output)
    except OSError as error:
        raise Failure(Exit.CANNOT_WRITE, f"--out {output}: {error.strerror}") from error
    refuse_invalid(known_catalogue(options, data, files), workflow, options.file)
    outcome, code, told = run_aloud(compose(options, data, files), workflow, options.timeout)
    written = report.written_files(outcome)
    places = {folder: files.root(folder) for folder in ("output", "temp")}
    if options.json:
        print(report.run_json(outcome, told, written, places))
    elif written:
        print(report.run_text(written, places))
    return code


def validate(options: argparse.Namespace) -> int:
    """Say everything that is wrong with a workflow, on standard output."""
    from graph.problems import InvalidGraph
    from jobs import report
    from jobs.exits import problems_exit

    data = open_home(options.data)
    workflow = read_document(options, data)
    catalogue = known_catalogue(options, data, file_store(options, data))
    try:
        catalogue.builder.build(workflow)
    except InvalidGraph as error:
        print(report.problems_json(error.problems) if options.json else report.problems_text(error.problems))
        return problems_exit(error.problems, workflow, catalogue.registry)
    print(report.problems_json(()) if options.json else "valid")
    return Exit.DONE


def explain(options: argparse.Namespace) -> int:
    """Say what would run and what is cached: by the server of the data folder, which has the cache, if one runs."""
    from jobs import report
    from jobs.documents import titles
    from jobs.home import server_of
    from jobs.listen import read_token
    from jobs.local import refuse_invalid
    from jobs.remote import explain_there

    data = open_home(options.data)
    workflow = read_document(options, data)
    url = server_of(data)
    if url is None:
        files = file_store(options, data)
        refuse_invalid(known_catalogue(options, data, files), workflow, options.file)
        plan = compose(options, data, files).explain(workflow, None)
    else:
        plan = explain_there(url, workflow, options.token_file and read_token(options.token_file))
    print(json.dumps(plan, indent=1) if options.json else report.plan_text(plan, titles(workflow)))
    return Exit.DONE


def nodes(options: argparse.Namespace) -> int:
    from jobs import report

    data = open_home(options.data)
    catalogue = known_catalogue(options, data, file_store(options, data))
    for name, why in catalogue.failures.items():
        print(f"weft: the pack {name} could not be loaded whole:\n{why.strip()}", file=sys.stderr)
    print(json.dumps(catalogue.to_json(), indent=1) if options.json else report.nodes_text(catalogue.registry))
    return Exit.DONE


def models(options: argparse.Namespace) -> int:
    from jobs import local, report

    files = file_store(options, open_home(options.data))
    if options.inspect is None:
        print(json.dumps(files.models(), indent=1) if options.json else report.models_text(files.models()))
        return Exit.DONE
    from diffusion.inspection import as_lines, inspected

    with local.exiting(Exit.BAD_DATA):
        facts = inspected(local.weights_file(files, options.inspect))
    print(json.dumps(facts, indent=1) if options.json else "\n".join(as_lines(facts)))
    return Exit.DONE


def merge(options: argparse.Namespace) -> int:
    from diffusion.merging.files import write_merge
    from diffusion.merging.recipe import Recipe
    from jobs import local

    files = file_store(options, open_home(options.data))
    paths = [local.weights_file(files, name) for name in options.files]
    with local.exiting(Exit.USAGE):
        numbers = (options.beta, options.gamma, options.seed)
        recipe = Recipe.parsed(options.formula, options.alpha, options.curve, options.blocks, *numbers)
    with local.exiting(Exit.BAD_DATA), local.counting(options.out.name) as heard:
        told = write_merge(paths, recipe, options.precision, options.out, heard)
    print(json.dumps({"path": str(options.out), **told}, indent=1) if options.json else options.out)
    return Exit.DONE


def cache(options: argparse.Namespace) -> int:
    """Say how much is kept, after letting go of the tier named by --clear: of the server, else of the folder alone."""
    from jobs import report
    from jobs.kept import cache_of

    tiers = cache_of(open_home(options.data), options.clear, options.token_file)
    print(json.dumps({"tiers": tiers}, indent=1) if options.json else report.cache_text(tiers))
    return Exit.DONE


def fsck(options: argparse.Namespace) -> int:
    """Say in what the recorded results and the files differ; with --repair, make good what can be."""
    from jobs import fsck, report

    found, is_left = fsck.compare(open_home(options.data), repair_too=options.repair)
    print(report.differences_json(found) if options.json else report.differences_text(found))
    return Exit.BAD_DATA if is_left else Exit.DONE


def read_document(options: argparse.Namespace, data: Path) -> Workflow:
    """The workflow to work on; of one of ComfyUI what comes of it here, and on standard error what does not."""
    from compat.workflows import convert, is_foreign
    from graph.workflow import load_parsed
    from jobs.documents import assign, read_workflow

    def read(document: object) -> Workflow:
        if not is_foreign(document):
            return load_parsed(document)
        made = convert(document, known_catalogue(options, data, file_store(options, data)).registry)
        for note in made.notes:
            print(f"weft: {note.text}", file=sys.stderr)
        return load_parsed(made.document)

    return assign(read_workflow(options.file, sys.stdin.buffer, read), options.set)


def known_catalogue(options: argparse.Namespace, data: Path, files: FileStore) -> Catalogue:
    """The definitions without importing the nodes, unless nobody has since they changed."""
    catalogue = stored_catalogue(options, data, files)
    if not catalogue.known:
        catalogue.update(json.dumps(compose(options, data, files).catalogue()).encode())
    return catalogue


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
