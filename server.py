"""Weft's entry point: the command line, and the one place where the parts are wired together.

Each command imports what it needs when it runs: `--help` imports next to nothing, `serve` imports no torch.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from jobs.exits import Exit, Failure
from jobs.home import open_home

if TYPE_CHECKING:
    import asyncio
    import socket

    from graph.events import Event
    from graph.workflow import Workflow
    from jobs.catalogue import Catalogue
    from jobs.engine import Engine
    from jobs.files import FileStore
    from jobs.home import HomeLock

VERSION = "0.1.0"
HERE = Path(__file__).resolve().parent
SIGNALS = (signal.SIGINT, signal.SIGTERM)

T = TypeVar("T")


def parser() -> argparse.ArgumentParser:
    places = argparse.ArgumentParser(add_help=False)
    places.add_argument("--data", type=Path, metavar="DIR", help="folder for everything that is written")
    places.add_argument("--models", type=Path, metavar="DIR", action="append", default=[], help="root of model folders")
    places.add_argument("--custom-nodes", type=Path, metavar="DIR", action="append", default=[], help="folder of packs")
    places.add_argument("--device", metavar="cpu|cuda:N", help="where models run (default: the first GPU, else cpu)")
    document = argparse.ArgumentParser(add_help=False)
    document.add_argument("file", metavar="FILE", help="workflow as JSON, a PNG that carries one, or - for stdin")
    document.add_argument("--set", metavar="NODE.INPUT=VALUE", action="append", default=[], help="change a value first")
    report = argparse.ArgumentParser(add_help=False)
    report.add_argument("--json", action="store_true", help="one JSON document on standard output")
    token = argparse.ArgumentParser(add_help=False)
    token.add_argument("--token-file", type=Path, metavar="FILE", help="file with the token that clients must show")

    codes = ", ".join(f"{code.value} {code.name.lower().replace('_', ' ')}" for code in Exit)
    top = argparse.ArgumentParser(
        prog="server.py", description="A node-graph studio for diffusion image models.", epilog=f"Exit codes: {codes}."
    )
    top.add_argument("--version", action="version", version=f"Weft {VERSION}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    command = commands.add_parser("serve", parents=[places, token], help="start the studio (the default)")
    command.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    command.add_argument("--port", type=int, help="0 for any (default: 8188, or the next free one)")
    command.add_argument("--no-open", action="store_true", help="do not open a browser")
    command = commands.add_parser("run", parents=[places, document, report], help="run a workflow without a server")
    command.add_argument("--out", type=Path, metavar="DIR", help="folder for results (default: output under --data)")
    command.add_argument("--timeout", type=float, metavar="SECONDS", help="give up after this long")
    commands.add_parser("validate", parents=[places, document, report], help="say all that is wrong with a workflow")
    commands.add_parser(
        "explain", parents=[places, document, report, token], help="say what would run, what is cached, and why"
    )
    commands.add_parser("nodes", parents=[places, report], help="list the nodes")
    commands.add_parser("models", parents=[places, report], help="list the models")
    command = commands.add_parser("worker", parents=[places])
    command.add_argument("--recorder", type=Path, required=True)
    return top


def main(arguments: Sequence[str]) -> int:
    """Run one command, `serve` if none is named; its exit code."""
    chosen = list(arguments)
    if not chosen or (chosen[0].startswith("-") and chosen[0] not in ("-h", "--help", "--version")):
        chosen.insert(0, "serve")
    options = parser().parse_args(chosen)
    commands = {command.__name__: command for command in (serve, run, validate, explain, nodes, models, worker)}
    try:
        code = commands[options.command](options)
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


def folders(option: str, given: Sequence[Path]) -> list[Path]:
    for folder in given:
        if not folder.is_dir():
            raise Failure(Exit.BAD_CONFIGURATION, f"{option} {folder}: there is no such folder")
    return [folder.resolve() for folder in given]


def pack_folders(options: argparse.Namespace) -> list[Path]:
    return [*folders("--custom-nodes", options.custom_nodes), HERE / "custom_nodes"]


def file_store(options: argparse.Namespace, data: Path, output: Path | None = None) -> FileStore:
    from diffusion.header import read_header
    from jobs.files import FileStore
    from jobs.hashes import Hashes

    roots = [*folders("--models", options.models), HERE / "models", HERE / "models" / "demo"]
    fixed = {"web": HERE / "web", "templates": HERE / "web" / "templates"}
    return FileStore(roots, data, Hashes(data / "hashes.db"), fixed, output, read_header)


def stored_catalogue(options: argparse.Namespace, data: Path, files: FileStore) -> Catalogue:
    from jobs.catalogue import Catalogue

    sources = [HERE / "graph", HERE / "nodes", HERE / "diffusion", *pack_folders(options)]
    return Catalogue(data / "catalogue.json", sources, files)


def compose(options: argparse.Namespace, files: FileStore) -> Engine:
    """The engine with all nodes. This is what imports torch."""
    from graph.cache import Cache, Memory
    from graph.context import Context
    from graph.graph import Builder
    from jobs.engine import Engine
    from jobs.outputs import OutputWriter
    from jobs.packs import load_packs
    from nodes import builtin
    from nodes.values import NodeTraits

    registry, packs = load_packs(builtin(), pack_folders(options))
    writer = OutputWriter(files.root("output"), files.root("temp"))
    return Engine(
        registry=registry,
        packs=packs,
        builder=Builder(registry, files),
        cache=Cache([Memory(memory_budget())], NodeTraits(files)),
        files=files,
        context=Context(save=writer.save, device=device(options)),
        limits={"cpu": os.cpu_count() or 1, "io": 8},
    )


def device(options: argparse.Namespace) -> str:
    import torch

    count = torch.cuda.device_count()
    chosen = options.device or ("cuda:0" if count else "cpu")
    if chosen != "cpu" and chosen not in [f"cuda:{index}" for index in range(count)]:
        found = f"{count} CUDA device(s)" if count else "no CUDA device"
        raise Failure(Exit.BAD_CONFIGURATION, f"--device {chosen}: expected cpu or cuda:N, and there is {found} here")
    return chosen


def memory_budget() -> int:
    """Bytes of results kept in memory: a quarter of what the machine has."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4
    except (AttributeError, ValueError, OSError):
        return 4 << 30


# The studio


def serve(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C."""
    import asyncio
    import logging

    from jobs.home import HomeLock
    from jobs.listen import SHORTEST_TOKEN, is_loopback, listen, read_token

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    token = None if options.token_file is None else read_token(options.token_file)
    if token is None and not is_loopback(options.host):
        raise Failure(
            Exit.BAD_CONFIGURATION,
            f"--host {options.host} lets other machines in, so --token-file FILE is needed: "
            f"a file with a secret of at least {SHORTEST_TOKEN} characters",
        )
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
    from jobs.database import Database
    from jobs.files import remove_leftovers
    from jobs.listen import shown_host
    from jobs.rows import MIGRATIONS
    from jobs.service import Jobs
    from jobs.supervisor import Supervisor

    files = file_store(options, data)
    supervisor = Supervisor(worker_command(options, data), data / "worker.record", sys.stderr.buffer.write)
    jobs = Jobs(Database(data / "jobs.db", MIGRATIONS), stored_catalogue(options, data, files), supervisor)
    app = build_app(Config(options.host, VERSION, token), jobs, files)
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
    if not options.no_open:
        in_background(webbrowser.open, url + login_path(app))
    number = await told
    await jobs.stop()
    await runner.cleanup()
    lock.release()
    return 128 + number


def worker_command(options: argparse.Namespace, data: Path) -> list[str]:
    command = [sys.executable, str(HERE / "server.py"), "worker", "--data", str(data)]
    for option, values in (("--models", options.models), ("--custom-nodes", options.custom_nodes)):
        command += [part for value in values for part in (option, str(value))]
    return command + (["--device", options.device] if options.device else [])


def on_signals(told: asyncio.Future[int]) -> None:
    """Complete `told` with the number of the first signal that asks to stop; a second one ends the process."""
    loop = told.get_loop()

    def handle(number: int) -> None:
        if told.done():
            os._exit(128 + number)
        told.set_result(number)

    for number in SIGNALS:
        if os.name == "posix":
            loop.add_signal_handler(number, handle, number)
        else:
            signal.signal(number, lambda number, _: loop.call_soon_threadsafe(handle, number))


def in_background(work: Callable[[T], object], argument: T) -> None:
    threading.Thread(target=work, args=(argument,), name=work.__name__, daemon=True).start()


def worker(options: argparse.Namespace) -> int:
    """The hidden command that `serve` starts as its worker."""
    from jobs import worker

    data = open_home(options.data)
    files = file_store(options, data)
    worker.main(lambda: compose(options, files), warm, options.recorder)
    return Exit.DONE


def warm() -> None:
    """Import what the first job would wait for."""
    import transformers  # noqa: F401  # pyright: ignore[reportUnusedImport]


# Without a server


def run(options: argparse.Namespace) -> int:
    """Run a workflow in this process: progress on standard error, paths of the results on standard output."""
    from jobs import report
    from jobs.console import Console
    from jobs.local import refuse_invalid, run_here
    from jobs.summary import Summary

    data = open_home(options.data)
    workflow = read_document(options)
    output = data / "output" if options.out is None else options.out.resolve()
    try:
        files = file_store(options, data, output)
    except OSError as error:
        raise Failure(Exit.CANNOT_WRITE, f"--out {output}: {error.strerror}") from error
    refuse_invalid(known_catalogue(options, data, files), workflow, options.file)
    engine = compose(options, files)
    summary = Summary()
    console = Console.on(sys.stderr, os.environ, titles(workflow))

    def emit(event: Event) -> None:
        summary.fold(event.to_json())
        console.show(event)

    with contextlib.redirect_stdout(sys.stderr):
        outcome, code = run_here(engine, workflow, emit, options.timeout)
    console.close()
    written = report.written_files(outcome)
    places = {folder: files.root(folder) for folder in ("output", "temp")}
    if options.json:
        print(report.run_json(outcome, summary.nodes, written, places))
    elif written:
        print(report.run_text(written, places))
    return code


def validate(options: argparse.Namespace) -> int:
    """Say everything that is wrong with a workflow, on standard output."""
    from graph.problems import InvalidGraph
    from jobs import report
    from jobs.exits import problems_exit

    data = open_home(options.data)
    workflow = read_document(options)
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
    from jobs.home import server_of
    from jobs.listen import read_token
    from jobs.local import refuse_invalid
    from jobs.remote import explain_there

    data = open_home(options.data)
    workflow = read_document(options)
    url = server_of(data)
    if url is None:
        files = file_store(options, data)
        refuse_invalid(known_catalogue(options, data, files), workflow, options.file)
        plan = compose(options, files).explain(workflow, None)
    else:
        plan = explain_there(url, workflow, options.token_file and read_token(options.token_file))
    print(json.dumps({"nodes": plan}, indent=1) if options.json else report.plan_text(plan, titles(workflow)))
    return Exit.DONE


def nodes(options: argparse.Namespace) -> int:
    from jobs import report

    data = open_home(options.data)
    catalogue = known_catalogue(options, data, file_store(options, data))
    print(json.dumps(catalogue.to_json(), indent=1) if options.json else report.nodes_text(catalogue.registry))
    return Exit.DONE


def models(options: argparse.Namespace) -> int:
    from jobs import report

    found = file_store(options, open_home(options.data)).models()
    print(json.dumps(found, indent=1) if options.json else report.models_text(found))
    return Exit.DONE


def read_document(options: argparse.Namespace) -> Workflow:
    from jobs.documents import assign, read_workflow

    return assign(read_workflow(options.file, sys.stdin.buffer), options.set)


def titles(workflow: Workflow) -> dict[str, str]:
    return {id: str(node.get("title") or node.get("type")) for id, node in workflow.nodes.items()}


def known_catalogue(options: argparse.Namespace, data: Path, files: FileStore) -> Catalogue:
    """The definitions without importing the nodes, unless nobody has since they changed."""
    catalogue = stored_catalogue(options, data, files)
    if not catalogue.known:
        catalogue.update(json.dumps(compose(options, files).catalogue()).encode())
    return catalogue


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
