from __future__ import annotations

import asyncio
import errno
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from api.documents import Conflict, Documents
from jobs.files import BadName, FileStore, NoSuchFile
from jobs.hashes import Hashes
from tests.api.world import API, Answer, World, workflow


def at(name: str, rest: str = "") -> str:
    return f"{API}/workflows/{quote(name, safe='')}{rest}"


def put(world: World, name: str, text: str, *, over: str | None = None, rest: str = "") -> Answer:
    headers = {} if over is None else {"If-Match": over if over == "*" else f'"{over}"'}
    return world.send_json("PUT", at(name, rest), workflow(text), headers)


def revisions(world: World, name: str) -> list[dict[str, Any]]:
    return world.ask("GET", at(name, "/revisions")).json["revisions"]


def test_every_save_is_a_revision_that_can_be_read_labelled_and_restored(world: World) -> None:
    one = put(world, "dog", "one").json["revision"]
    two = put(world, "dog", "two", over=one, rest="?label=" + quote("с новым носом: 鼻?")).json["revision"]
    three = put(world, "dog", "three", over=two).json["revision"]
    found = revisions(world, "dog")
    assert [(each["revision"], each["label"]) for each in found] == [
        (three, None),
        (two, "с новым носом: 鼻?"),
        (one, None),
    ]
    assert world.ask("GET", at("dog", f"/revisions/{two}")).json == workflow("two")
    assert world.send_json("PATCH", at("dog", f"/revisions/{one}"), {"label": "first"}).status == 200
    stale = world.ask("POST", at("dog", f"/revisions/{one}/restore"), headers={"If-Match": f'"{two}"'})
    assert (stale.status, stale.json["current"]) == (409, three)
    assert world.ask("POST", at("dog", f"/revisions/{one}/restore"), headers={"If-Match": f'"{three}"'}).status == 200
    assert world.ask("GET", at("dog")).json == workflow("one")
    assert [(each["revision"], each["label"]) for each in revisions(world, "dog")] == [
        (one, "first"), (three, None), (two, "с новым носом: 鼻?"),
    ], "a text that comes back is the latest, not there twice"  # fmt: skip
    world.send_json("PATCH", at("dog", f"/revisions/{one}"), {"label": None})
    assert revisions(world, "dog")[0]["label"] is None
    assert world.ask("GET", at("dog", "/revisions/" + "0" * 40)).status == 404


def test_of_two_who_save_over_one_revision_both_texts_are_kept(world: World) -> None:
    base = put(world, "pair", "base").json["revision"]
    mine = put(world, "pair", "mine", over=base)
    theirs = put(world, "pair", "theirs", over=base)
    assert (mine.status, theirs.status) == (200, 409)
    assert theirs.json["current"] == mine.json["revision"]
    assert world.ask("GET", at("pair")).json == workflow("mine")
    assert world.ask("GET", at("pair", f"/revisions/{theirs.json['kept']}")).json == workflow("theirs")
    labels = {each["revision"]: each["label"] for each in revisions(world, "pair")}
    assert labels[theirs.json["kept"]] == "saved too late"
    again = put(world, "pair", "mine", over=base)
    assert again.status == 200, "an answer that was lost may be asked for again"


def test_a_text_that_was_put_there_by_hand_is_kept_too(world: World) -> None:
    by_hand = json.dumps(workflow("by hand")).encode()
    (world.folder / "data" / "workflows" / "hand.json").write_bytes(by_hand)
    assert put(world, "hand", "over it", over="*").status == 200
    texts = [world.ask("GET", at("hand", f"/revisions/{r['revision']}")).body for r in revisions(world, "hand")]
    assert by_hand in texts


def test_a_draft_lies_beside_the_text_until_it_is_saved(world: World) -> None:
    base = put(world, "letter", "saved").json["revision"]
    for text in ("t", "ty", "typing"):
        revision = put(world, "letter", text, rest=f"/draft?base={base}").json["revision"]
    draft = world.ask("GET", at("letter", "/draft"))
    assert (draft.json, draft.headers["Weft-Base"]) == (workflow("typing"), f'"{base}"')
    assert world.ask("GET", at("letter")).json == workflow("saved")
    listed = world.ask("GET", f"{API}/workflows").json["drafts"]
    assert [(each["name"], each["base"]) for each in listed if each["name"] == "letter"] == [("letter", base)]
    other = put(world, "letter", "of someone else", over=base).json["revision"]
    assert world.ask("GET", at("letter", "/draft")).status == 200, "who saves lets go of no draft but the own"
    assert put(world, "letter", "typed", over=other, rest=f"?draft={revision}").status == 200
    assert world.ask("GET", at("letter", "/draft")).status == 404
    put(world, "letter", "equal", rest=f"/draft?base={base}")
    put(world, "letter", "equal", over="*")
    assert world.ask("GET", at("letter", "/draft")).status == 404
    assert len(revisions(world, "letter")) == 4, "drafts are no revisions"


def test_a_draft_begun_elsewhere_becomes_a_revision_before_another_takes_its_place(world: World) -> None:
    base = put(world, "tabs", "base").json["revision"]
    put(world, "tabs", "of one tab", rest=f"/draft?base={base}")
    saved = put(world, "tabs", "of another tab", over="*").json["revision"]
    put(world, "tabs", "one tab again", rest=f"/draft?base={base}")
    put(world, "tabs", "another tab again", rest=f"/draft?base={saved}")
    assert world.ask("GET", at("tabs", "/draft")).json == workflow("another tab again")
    texts = [world.ask("GET", at("tabs", f"/revisions/{r['revision']}")).json for r in revisions(world, "tabs")]
    assert workflow("one tab again") in texts
    assert world.ask("DELETE", at("tabs", "/draft")).status == 200
    assert world.ask("DELETE", at("tabs", "/draft")).status == 404
    assert put(world, "never saved", "x", rest="/draft").json["base"] is None


def test_a_document_can_be_renamed_deleted_and_brought_back_with_all_it_has(world: World) -> None:
    one = put(world, "red", "one").json["revision"]
    two = put(world, "red", "two", over=one).json["revision"]
    put(world, "red", "three", rest=f"/draft?base={two}")
    renamed = world.send_json("POST", at("red", "/rename"), {"name": "портреты/赤い 100%"})
    assert renamed.json == {"name": "портреты/赤い 100%", "revision": two}
    name = "портреты/赤い 100%"
    assert world.ask("GET", at("red")).status == 404
    assert (world.folder / "data" / "workflows" / "портреты" / "赤い 100%.json").is_file()
    assert [each["revision"] for each in revisions(world, name)] == [two, one]
    assert world.ask("GET", at(name, "/draft")).json == workflow("three")
    assert world.ask("DELETE", at(name), headers={"If-Match": f'"{one}"'}).status == 409
    assert world.ask("DELETE", at(name)).json["current"] == two
    entry = world.ask("DELETE", at(name), headers={"If-Match": f'"{two}"'}).json["id"]
    assert world.ask("GET", at(name)).status == 404
    assert not (world.folder / "data" / "workflows" / "портреты").exists()
    assert [each["name"] for each in world.ask("GET", f"{API}/trash").json["workflows"] if each["id"] == entry] == [
        name
    ]
    put(world, name, "another one came")
    assert world.ask("POST", f"{API}/trash/{entry}/restore").json["code"] == "name_taken"
    back = world.send_json("POST", f"{API}/trash/{entry}/restore", {"name": "red again"})
    assert (back.status, back.json) == (201, {"name": "red again", "revision": two})
    assert [each["revision"] for each in revisions(world, "red again")] == [two, one]
    assert world.ask("GET", at("red again", "/draft")).json == workflow("three")
    assert world.ask("DELETE", f"{API}/trash/{entry}").status == 404


def test_what_is_destroyed_is_gone_and_names_in_use_are_not_taken(world: World) -> None:
    put(world, "a", "a")
    put(world, "b", "b")
    assert world.send_json("POST", at("a", "/rename"), {"name": "b"}).json["code"] == "name_taken"
    assert world.send_json("POST", at("a", "/rename"), {"name": "../b"}).json["code"] == "bad_name"
    assert world.send_json("POST", at("gone", "/rename"), {"name": "c"}).status == 404
    entry = world.ask("DELETE", at("a"), headers={"If-Match": "*"}).json["id"]
    assert world.ask("DELETE", f"{API}/trash/{entry}").status == 200
    assert world.ask("POST", f"{API}/trash/{entry}/restore").status == 404
    assert not (world.folder / "data" / "trash" / entry).exists()


def test_a_document_and_one_in_a_folder_of_its_name_have_revisions_of_their_own(world: World) -> None:
    put(world, "x", "of x")
    put(world, "x/y", "of x/y")
    put(world, "x%2Fy", "of x%2Fy")
    assert [len(revisions(world, name)) for name in ("x", "x/y", "x%2Fy")] == [1, 1, 1]


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
@pytest.mark.parametrize("folder", ["workflows", "revisions"])
def test_c05_a_link_that_leads_out_is_not_written_through(world: World, folder: str) -> None:
    outside = world.folder / f"outside of {folder}"
    outside.mkdir()
    (world.folder / "data" / folder / "leads out").symlink_to(outside)
    name = "leads out/x" if folder == "workflows" else "leads out"
    assert put(world, name, "x").status == 400
    assert list(outside.iterdir()) == []
    (world.folder / "data" / folder / "leads out").unlink()


class Killed(BaseException):
    """The process is gone: nothing it would do after this happens."""


CALLS = ("fsync", "replace", "rename", "unlink", "link", "mkdir", "rmdir")


@pytest.fixture
def break_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int, str], None]]:
    """Have the n-th call that changes a folder fail: "full" once, "killed" for good. 0: no call does."""
    state = {"left": 0, "how": "", "dead": False}

    def count(call: Callable[..., object]) -> Callable[..., object]:
        def counted(*given: Any, **named: Any) -> object:
            if state["dead"]:
                raise Killed
            if state["left"]:
                state["left"] = int(state["left"]) - 1
                if not state["left"]:
                    if state["how"] == "full":
                        raise OSError(errno.ENOSPC, "No space left on device")
                    state["dead"] = True
                    raise Killed
            return call(*given, **named)

        return counted

    for name in CALLS:
        monkeypatch.setattr(os, name, count(getattr(os, name)))

    def arm(at: int, how: str) -> None:
        state.update(left=at, how=how, dead=False)

    yield arm
    arm(0, "")


TEXTS = {text: json.dumps(workflow(text)).encode() for text in ("one", "two", "three", "draft")}


async def undelete(documents: Documents, now: str) -> None:
    entry = await documents.delete("a/b", now)
    await documents.undelete(entry, "c/d")


async def back(documents: Documents, now: str) -> None:
    first = (await documents.revisions("a/b"))[-1].revision
    await documents.restore_revision("a/b", first, now)


CHANGES: dict[str, Callable[[Documents, str], Any]] = {
    "save": lambda documents, now: documents.save("a/b", TEXTS["three"], now, called="named"),
    "late": lambda documents, now: documents.save("a/b", TEXTS["three"], "0" * 40),
    "draft": lambda documents, now: documents.write_draft("a/b", TEXTS["three"], None),
    "rename": lambda documents, now: documents.move("a/b", "c/d"),
    "delete": lambda documents, now: documents.delete("a/b", now),
    "undelete": undelete,
    "restore": back,
}


@pytest.mark.parametrize("how", ["full", "killed"])
@pytest.mark.parametrize("change", CHANGES)
def test_whatever_call_fails_no_text_is_lost_or_torn(
    tmp_path: Path, break_at: Callable[[int, str], None], change: str, how: str
) -> None:
    asyncio.run(fail_at_every_call(tmp_path, break_at, change, how))


async def fail_at_every_call(tmp_path: Path, break_at: Callable[[int, str], None], change: str, how: str) -> None:
    at, finished = 0, False
    while not finished:
        at += 1
        hashes = Hashes(tmp_path / f"{at}.db")
        store = FileStore([], tmp_path / str(at), hashes)
        documents = Documents(store)
        one, _ = await documents.save("a/b", TEXTS["one"], None)
        now, _ = await documents.save("a/b", TEXTS["two"], one)
        await documents.write_draft("a/b", TEXTS["draft"], now)
        break_at(at, how)
        try:
            await CHANGES[change](documents, now)
            finished = True
        except Conflict as conflict:
            finished = conflict.kept is not None
        except (Killed, OSError):
            finished = False
        break_at(0, "")
        files = [path for path in (tmp_path / str(at)).rglob("*.json") if not path.name.startswith(".")]
        assert {path.read_bytes() for path in files} <= set(TEXTS.values()), (at, "a file is not complete")
        kept = await all_texts(Documents(store))
        assert {"one", "two", "draft"} <= kept, at
        hashes.close()
    assert at > 4


async def all_texts(documents: Documents) -> set[str]:
    """What a person can get at, the trash brought back."""
    for number, deleted in enumerate(await documents.deleted()):
        await documents.undelete(deleted.id, f"back {number}")
    names = {"a/b", "c/d", *(saved.name for saved in (await documents.list())[0])}
    found: set[bytes] = set()
    for name in names:
        for read in (documents.read, documents.read_draft):
            try:
                found.add((await read(name))[0])
            except NoSuchFile:
                continue
        try:
            found |= {await documents.read_revision(name, each.revision) for each in await documents.revisions(name)}
        except NoSuchFile:
            continue
    return {text for text, content in TEXTS.items() if content in found}


def test_a_name_that_is_too_long_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    hashes = Hashes(tmp_path / "h.db")
    documents = Documents(FileStore([], tmp_path / "data", hashes))
    with pytest.raises(BadName, match=r"takes \d+ bytes, at most \d+ can be used"):
        asyncio.run(documents.save("/".join(["x" * 100] * 3), b"{}", None))
    assert not list((tmp_path / "data").rglob("x*"))
    hashes.close()
