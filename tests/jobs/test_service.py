"""Jobs from submission to their recorded end, with a real worker process."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest

from graph.problems import InvalidGraph
from jobs import feed, rows
from jobs.job import KeyReused, UnknownJob
from tests.jobs.conftest import Bench, document, running

SUM = {"1": ("Number", {"value": 2}), "2": ("Add", {"left": "@1", "right": 3}), "3": ("Show", {"value": "@2"})}


def test_a_job_runs_and_its_history_is_told_and_recorded(bench) -> None:
    async def scenario(bench: Bench) -> None:
        id = await bench.run(SUM)
        job = await bench.jobs.get(id)
        assert (job.state, job.attempt, job.error) == ("done", 1, None)
        nodes = json.loads(job.nodes_json)
        assert {node: entry["state"] for node, entry in nodes.items()} == {"1": "ran", "2": "ran", "3": "ran"}
        assert nodes["2"]["reason"] == "never run"
        events = await bench.events(id)
        assert [event["n"] for event in events] == list(range(1, len(events) + 1))
        assert [event["state"] for event in events if event["type"] == "state"] == ["queued", "running", "done"]
        assert {event["job"] for event in events} == {id}

    bench(scenario)


def test_only_what_changed_runs_again(bench) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.run(SUM)
        changed = {**SUM, "2": ("Add", {"left": "@1", "right": 4})}
        states = {id: node["state"] for id, node in (await bench.nodes(await bench.run(changed))).items()}
        assert states == {"1": "cached", "2": "ran", "3": "ran"}
        undone = await bench.nodes(await bench.run(SUM))
        assert {node["state"] for node in undone.values()} == {"cached"}

    bench(scenario)


def test_targets_limit_what_runs(bench) -> None:
    async def scenario(bench: Bench) -> None:
        nodes = await bench.nodes(await bench.run(SUM, ["2"]))
        assert set(nodes) == {"1", "2"}

    bench(scenario)


def test_outputs_are_recorded_and_a_deleted_file_is_made_again(bench) -> None:
    async def scenario(bench: Bench) -> None:
        workflow = {"1": ("Number", {"value": 5}), "2": ("Save", {"value": "@1", "prefix": "five"})}
        first = await bench.jobs.get(await bench.run(workflow))
        (file,) = first.outputs["2"]
        assert (file.folder, file.name, file.width, file.height) == ("output", "five-00001.txt", 1, 2)
        assert (bench.data / "output" / file.name).read_text() == "5"
        again = await bench.jobs.get(await bench.run(workflow))
        assert again.outputs == first.outputs
        assert json.loads(again.nodes_json)["2"]["state"] == "cached"
        (bench.data / "output" / file.name).unlink()
        third = await bench.jobs.get(await bench.run(workflow))
        assert json.loads(third.nodes_json)["2"]["state"] == "ran"
        assert (bench.data / "output" / third.outputs["2"][0].name).is_file()

    bench(scenario)


def test_a_failing_node_fails_its_job_and_is_named(bench) -> None:
    async def scenario(bench: Bench) -> None:
        id = await bench.run(
            {"1": ("Number", {"value": 1}), "2": ("Fail", {"value": "@1"}), "3": ("Show", {"value": "@2"})}
        )
        job = await bench.jobs.get(id)
        assert job.state == "failed"
        assert job.error is not None
        assert (job.error["node"], job.error["type"], job.error["message"]) == ("2", "ValueError", "no good: 1")
        nodes = json.loads(job.nodes_json)
        assert {id: node["state"] for id, node in nodes.items()} == {"1": "ran", "2": "failed", "3": "skipped"}

    bench(scenario)


def test_a_node_that_exits_the_interpreter_only_fails(bench) -> None:
    async def scenario(bench: Bench) -> None:
        id = await bench.run(
            {"1": ("Number", {"value": 1}), "2": ("Exit", {"value": "@1"}), "3": ("Show", {"value": "@2"})}
        )
        assert (await bench.jobs.get(id)).state == "failed"
        assert (await bench.jobs.get(await bench.run(SUM))).state == "done"

    bench(scenario)


def test_what_a_node_prints_and_reads_does_not_disturb_the_frames(bench) -> None:
    async def scenario(bench: Bench) -> None:
        id = await bench.run(
            {"1": ("Number", {"value": 1}), "2": ("Chat", {"value": "@1"}), "3": ("Show", {"value": "@2"})}
        )
        assert (await bench.jobs.get(id)).state == "done"
        async with asyncio.timeout(10):
            while bench.echoed.count(b"to ") < 3:  # noqa: ASYNC110 - a byte array has no event
                await asyncio.sleep(0.01)

    bench(scenario)


def test_an_invalid_workflow_is_refused_whole(bench) -> None:
    async def scenario(bench: Bench) -> None:
        wrong = document({"1": ("Nubmer", {"value": 1}), "2": ("Show", {"value": "x"})})
        with pytest.raises(InvalidGraph) as caught:
            await bench.jobs.submit(wrong)
        assert {problem.code for problem in caught.value.problems} >= {"unknown_node"}
        assert (await bench.jobs.page()).jobs == []

    bench(scenario)


def test_an_idempotency_key_names_one_job(bench) -> None:
    async def scenario(bench: Bench) -> None:
        first = await bench.jobs.submit(document(SUM), key="k")
        assert await bench.jobs.submit(document(SUM), key="k") == first
        assert await bench.jobs.submit(document(SUM), key="k", client="another") != first
        with pytest.raises(KeyReused) as caught:
            await bench.jobs.submit(document(SUM), ["1"], key="k")
        assert caught.value.job == first

    bench(scenario)


def test_jobs_are_listed_newest_first_in_pages(bench) -> None:
    async def scenario(bench: Bench) -> None:
        ids = [await bench.run({"1": ("Number", {"value": i}), "2": ("Show", {"value": "@1"})}) for i in range(5)]
        page = await bench.jobs.page(limit=2)
        seen = [job.id for job in page.jobs]
        while page.cursor is not None:
            page = await bench.jobs.page(limit=2, cursor=page.cursor)
            seen += [job.id for job in page.jobs]
        assert seen == ids[::-1]
        assert (await bench.jobs.page("failed")).jobs == []
        assert len((await bench.jobs.page("done")).jobs) == 5

    bench(scenario)


def test_an_unknown_job_is_unknown_everywhere(bench) -> None:
    async def scenario(bench: Bench) -> None:
        for ask in (bench.jobs.get, bench.jobs.cancel, bench.jobs.subscribe, bench.jobs.workflow):
            with pytest.raises(UnknownJob):
                await ask("no-such-job")

    bench(scenario)


def test_events_are_replayed_from_a_number(bench) -> None:
    async def scenario(bench: Bench) -> None:
        id = await bench.run(SUM)
        everything = await bench.events(id)
        for after in range(len(everything) + 1):
            assert await bench.events(id, after) == everything[after:]

    bench(scenario)


def test_a_reader_that_joins_late_misses_nothing_but_superseded_previews(bench) -> None:
    async def scenario(bench: Bench) -> None:
        id = await bench.jobs.submit(
            document(
                {"1": ("Number", {}), "2": ("Steps", {"value": "@1", "count": 20}), "3": ("Show", {"value": "@2"})}
            )
        )
        early = asyncio.create_task(bench.events(id))
        await bench.until(id, "preview")
        late = await bench.events(id)
        plain = [event for event in await early if event["type"] != "preview"]
        assert [event for event in late if event["type"] != "preview"] == plain
        assert [event for event in await bench.events(id) if event["type"] != "preview"] == plain
        numbers = [event["n"] for event in late]
        assert numbers == sorted(numbers)
        assert any(event["type"] == "preview" for event in await early)

    bench(scenario)


def test_a_queued_and_a_running_job_are_cancelled(bench) -> None:
    async def scenario(bench: Bench) -> None:
        long = {"1": ("Number", {}), "2": ("Steps", {"value": "@1", "count": 3000}), "3": ("Show", {"value": "@2"})}
        first = await bench.jobs.submit(document(long))
        second = await bench.jobs.submit(document(SUM))
        await bench.until(first, "progress")
        assert await bench.jobs.cancel(second) == "cancelled"
        assert await bench.jobs.cancel(first) == "running"
        assert (await bench.events(first))[-1]["state"] == "cancelled"
        assert (await bench.events(second))[-1]["state"] == "cancelled"
        assert await bench.jobs.cancel(first) == "cancelled"
        assert (await bench.jobs.get(await bench.run(SUM))).state == "done"

    bench(scenario)


def test_a_running_job_shows_its_nodes(bench) -> None:
    async def scenario(bench: Bench) -> None:
        id = await bench.jobs.submit(
            document(
                {"1": ("Number", {}), "2": ("Steps", {"value": "@1", "count": 3000}), "3": ("Show", {"value": "@2"})}
            )
        )
        await bench.until(id, "progress")
        states = {node: entry["state"] for node, entry in (await bench.nodes(id)).items()}
        assert states == {"1": "ran", "2": "running"}
        await bench.until(id, "estimate")
        estimate = (await bench.jobs.get(id)).estimate
        assert estimate is not None
        assert 0 < estimate["left_ms"] <= estimate["ms"]
        assert estimate["unknown"] == 1, "Show never ran"
        await bench.jobs.cancel(id)

    bench(scenario)


def test_the_cache_says_what_it_holds_and_lets_go(bench) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.run(SUM)
        before = await bench.jobs.cache()
        assert 0 < before["host"]["used"] <= before["host"]["budget"]
        assert (await bench.jobs.cache(["host", "disk"]))["host"]["results"] == 0
        plan = await bench.jobs.explain(document(SUM))
        assert {node["state"] for node in plan["nodes"].values()} == {"run"}

    bench(scenario)


def test_explain_says_what_a_job_would_do(bench) -> None:
    async def scenario(bench: Bench) -> None:
        before = await bench.jobs.explain(document(SUM))
        assert {node["state"] for node in before["nodes"].values()} == {"run"}
        await bench.run(SUM)
        after = await bench.jobs.explain(document(SUM))
        assert {node["state"] for node in after["nodes"].values()} == {"cached"}
        with pytest.raises(InvalidGraph):
            await bench.jobs.explain(document(SUM), ["nowhere"])

    bench(scenario)


def test_watchers_hear_of_jobs_and_of_the_worker(bench) -> None:
    async def scenario(bench: Bench) -> None:
        watched = bench.jobs.watch()
        (first,) = json.loads(await anext(watched))
        assert first["type"] == "worker"
        id = await bench.run(SUM)
        heard = set()
        async for text in watched:
            heard |= {(event.get("job"), event["state"]) for event in json.loads(text)}
            if (id, "done") in heard:
                break
        await watched.aclose()

    bench(scenario)


def test_a_run_waits_for_room_on_the_disk_and_says_so(bench, monkeypatch: pytest.MonkeyPatch) -> None:
    append, refused = rows.append, []

    def full_once(db: sqlite3.Connection, batch: rows.Batch) -> None:
        if batch.state is not None or refused:
            return append(db, batch)
        refused.append(batch)
        raise sqlite3.OperationalError("database or disk is full")

    async def scenario(bench: Bench) -> None:
        watched = bench.jobs.watch()
        await anext(watched)
        monkeypatch.setattr(rows, "append", full_once)
        id = await bench.run(SUM)
        heard: set[tuple[str, str]] = set()
        async for text in watched:
            heard |= {(event["type"], event["state"]) for event in json.loads(text)}
            if {("disk", "full"), ("state", "done")} <= heard:
                break
        assert (await bench.jobs.get(id)).state == "done"
        await watched.aclose()

    bench(scenario)


def test_history_and_queue_survive_a_restart(tmp_path: Path) -> None:
    async def scenario() -> None:
        data = tmp_path / "data"
        async with running(data) as bench:
            done = await bench.run(SUM)
            events = await bench.events(done)
            long = {"1": ("Number", {}), "2": ("Steps", {"value": "@1", "count": 3000}), "3": ("Show", {"value": "@2"})}
            interrupted = await bench.jobs.submit(document(long))
            waiting = await bench.jobs.submit(document(SUM))
            seen = await bench.until(interrupted, "progress")
            assert (await bench.jobs.get(interrupted)).state == "running"
        async with running(data) as bench:
            assert (await bench.jobs.get(done)).state == "done"
            assert await bench.events(done) == events
            again = await bench.until(interrupted, "state", seen["n"])
            assert again["state"] == "queued"
            await bench.until(interrupted, "progress", again["n"])
            assert (await bench.jobs.get(interrupted)).attempt == 2
            await bench.jobs.cancel(interrupted)
            ended = await bench.events(interrupted)
            assert [event["n"] for event in ended] == sorted({event["n"] for event in ended})
            assert (await bench.events(waiting))[-1]["state"] == "done"

    asyncio.run(scenario())


@pytest.mark.parametrize("at_once", [1, 2, 64])
def test_history_is_told_whole_however_much_is_read_at_once(tmp_path: Path, monkeypatch, at_once: int) -> None:
    monkeypatch.setattr(rows, "AT_ONCE", at_once)
    monkeypatch.setattr(feed, "MAX_HELD", 300)

    async def scenario() -> None:
        async with running(tmp_path / "data") as bench:
            steps = ("Steps", {"value": "@1", "count": 40})
            id = await bench.jobs.submit(document({"1": ("Number", {}), "2": steps, "3": ("Show", {"value": "@2"})}))
            await bench.until(id, "progress")
            live, late = await asyncio.gather(bench.events(id), bench.events(id, 3))
            whole = [event for text in [text async for text in bench.jobs.recorded(id)] for event in json.loads(text)]
            stored = [event["n"] for event in whole]
            assert stored == sorted(set(stored))
            assert set(stored) <= {event["n"] for event in live}
            assert {n for n in stored if n > 3} <= {event["n"] for event in late}
            assert await bench.events(id) == whole

    asyncio.run(scenario())


def test_the_catalogue_is_there_before_the_second_worker(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as bench:
            await bench.run(SUM)
            first = bench.jobs.catalogue.to_json()
        async with running(tmp_path) as bench:
            assert bench.jobs.worker_state == "starting"
            assert bench.jobs.catalogue.to_json() == first
            with pytest.raises(InvalidGraph):
                await bench.jobs.submit(document({"1": ("Nothing", {})}))

    asyncio.run(scenario())
