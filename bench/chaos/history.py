"""What clients saw, and the check of it against what is there in the end; knows nothing of how the server works."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

TERMINAL = ("done", "failed", "cancelled")


@dataclass
class History:
    """`accepted`: every id a key was answered with. `seen`: each job that a client saw ended, as it was then. `kept`:
    what clients were told is stored, by the URL it is read from."""

    accepted: dict[str, set[str]] = field(default_factory=dict)
    seen: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    kept: dict[str, bytes] = field(default_factory=dict)
    surprises: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Verdict:
    accepted: int
    done: int
    given_up: int
    kept: int
    lost: Sequence[str]
    doubled: Sequence[str]
    stuck: Sequence[str]
    damaged: Sequence[str]
    surprises: Sequence[str]

    @property
    def sound(self) -> bool:
        return not (self.lost or self.doubled or self.stuck or self.damaged or self.surprises)


def check(
    history: History,
    jobs: Mapping[str, Mapping[str, Any]],
    tokens: Mapping[str, str],
    files: Mapping[str, bytes],
    expected: Mapping[str, bytes],
) -> Verdict:
    """`jobs` by id and `files` by URL are what the server has in the end, `tokens` the token of each job's workflow.

    A job may be given up only when it lost two workers; anything a client saw must still be so.
    """
    ids = {id for each in history.accepted.values() for id in each}
    lost = sorted(ids - jobs.keys())
    doubled = [key for key, each in history.accepted.items() if len(each) > 1]
    owners: dict[str, list[str]] = {}
    for id, token in tokens.items():
        owners.setdefault(token, []).append(id)
    doubled += [token for token, each in owners.items() if len(each) > 1 and token not in doubled]
    ended = {id: job for id, job in jobs.items() if job["state"] in TERMINAL}
    surprises = list(history.surprises)
    for id, job in history.seen.items():
        if id in jobs and (job["state"], job["outputs"]) != (jobs[id]["state"], jobs[id]["outputs"]):
            surprises.append(f"{id} was {job['state']} and is now {jobs[id]['state']}")
    given_up = [job for job in ended.values() if job["state"] == "failed"]
    surprises += [f"{job['id']} failed: {job['error']}" for job in given_up if job["error"]["code"] != "worker_lost"]
    damaged = [url for url, data in history.kept.items() if files.get(url) != data]
    used: set[str] = set()
    for id, job in ended.items():
        urls = [file["url"] for listed in job["outputs"].values() for file in listed]
        if job["state"] == "done" and len(urls) != 1:
            damaged.append(f"{id} is done with {len(urls)} files")
        damaged += [f"{id}: {url}" for url in urls if files.get(url) != expected[tokens[id]] or url in used]
        used |= set(urls)
    return Verdict(
        accepted=len(ids),
        done=sum(job["state"] == "done" for job in ended.values()),
        given_up=len(given_up),
        kept=len(history.kept),
        lost=lost,
        doubled=doubled,
        stuck=sorted(jobs.keys() - ended.keys()),
        damaged=damaged,
        surprises=surprises,
    )
