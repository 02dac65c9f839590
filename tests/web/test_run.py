"""Running: what would run, run to here, several times and on every change; the queue; problems put right at a press."""

from __future__ import annotations

import json
import re
import time
import urllib.request

from playwright.sync_api import Route, WebSocket, WebSocketRoute, expect

from tests.web.conftest import RUN_MS, Studio


def ask(studio: Studio, path: str) -> dict[str, object]:
    with urllib.request.urlopen(f"{studio.url}api/v1/{path}") as answer:
        return json.load(answer)


def jobs(studio: Studio, query: str = "") -> list[dict[str, object]]:
    found = ask(studio, f"jobs?limit=50{query}")["jobs"]
    assert isinstance(found, list)
    return found


def seeds(studio: Studio, count: int) -> list[int]:
    """Of the newest jobs, oldest first."""
    ids = [job["id"] for job in jobs(studio)[:count]]
    return [ask(studio, f"jobs/{id}/workflow")["nodes"]["5"]["inputs"]["seed"] for id in reversed(ids)]  # type: ignore


def set_value(studio: Studio, name: str, value: str) -> None:
    box = studio.node("5").get_by_label(name, exact=True)
    box.fill(value)
    box.press("Tab")


def post(studio: Studio, path: str) -> None:
    urllib.request.urlopen(urllib.request.Request(f"{studio.url}api/v1/{path}", method="POST")).close()


def test_what_would_run_is_told_before_run_is_pressed(studio: Studio) -> None:
    status = studio.page.locator(".bar-status")
    studio.quicken()
    set_value(studio, "seed", "53")
    studio.run()
    expect(studio.button("Run")).to_have_attribute("title", re.compile("everything is cached"))
    set_value(studio, "cfg", "7.5")
    expect(studio.node("5").locator(".node-status")).to_have_text("would run: cfg 4 → 7.5")
    expect(studio.button("Run")).to_have_attribute("title", re.compile("Would run 3 nodes"))
    expect(studio.node("2")).not_to_have_class(re.compile("would-run"))
    expect(status).to_have_text(re.compile("^Would run 3 nodes · about .* · up to "))
    assert re.search(r"ran [\d.]+ m?s.*\nmade [\d.]+ KB", str(studio.badge("5").get_attribute("title")), re.DOTALL)
    set_value(studio, "cfg", "4")
    expect(studio.node("5").locator(".node-status")).not_to_contain_text("would run")
    expect(status).to_have_text(re.compile("^Done in"))
    assert studio.complaints == []


def test_a_run_to_here_leaves_the_rest_alone(studio: Studio) -> None:
    studio.quicken(1)
    set_value(studio, "seed", "77")
    studio.node("5").locator(".node-head").click()
    studio.page.keyboard.press("Control+Shift+H")
    expect(studio.badge("5")).to_have_text(re.compile("^ran"), timeout=RUN_MS)
    studio.wait_for_end()
    expect(studio.badge("7")).to_have_text("")


def test_several_runs_at_one_press_have_a_seed_each(studio: Studio) -> None:
    studio.quicken(1)
    set_value(studio, "seed", "200")
    studio.button("How to run").click()
    studio.page.get_by_label("Runs at one press").fill("3")
    studio.page.keyboard.press("Escape")
    before = len(jobs(studio, "&state=done"))
    studio.button("Run").click()
    expect(studio.page.locator(".bar-status")).to_contain_text("waiting")
    deadline = time.monotonic() + RUN_MS / 1000
    while len(jobs(studio, "&state=done")) < before + 3 and time.monotonic() < deadline:
        studio.page.wait_for_timeout(100)
    assert seeds(studio, 3) == [200, 201, 202]
    assert studio.document()["nodes"]["5"]["inputs"]["seed"] == 200


def test_a_run_is_cancelled_while_it_is_still_being_sent(studio: Studio) -> None:
    """Nor does it follow a person who goes on to another workflow meanwhile."""
    studio.quicken(1)
    set_value(studio, "seed", "9301")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    studio.page.route("**/api/v1/jobs", hold)
    studio.button("Run").click()
    expect(studio.button("Cancel")).to_be_enabled()
    studio.button("Cancel").click()
    expect(studio.page.locator(".bar-status")).to_have_text("Cancelled")
    post(studio, "queue/pause")
    try:
        with studio.page.expect_response("**/api/v1/jobs/cancel"):
            held.pop().continue_()
        assert [job["state"] for job in jobs(studio)[:1]] == ["cancelled"]
        studio.button("Run").click()
        studio.page.keyboard.press("Alt+N")
        expect(studio.page.get_by_role("tab")).to_have_count(2)
        with studio.page.expect_response("**/api/v1/jobs"):
            held.pop().continue_()
        expect(studio.button("Run")).to_be_visible()
        assert [job["state"] for job in jobs(studio)[:1]] == ["queued"]
        expect(studio.page.locator(".bar-status")).to_have_text("")
    finally:
        post(studio, "queue/resume")
    assert studio.complaints == []


def test_every_change_is_run_when_that_is_wanted(studio: Studio) -> None:
    studio.quicken(1)
    studio.button("How to run").click()
    studio.page.get_by_role("switch", name="Run on every change").check()
    studio.page.keyboard.press("Escape")
    set_value(studio, "seed", "31")
    expect(studio.badge("5")).to_have_text(re.compile("^(ran|cached)"), timeout=RUN_MS)
    studio.wait_for_end()
    assert seeds(studio, 1) == [31]


def test_the_queue_is_paused_reordered_and_cancelled(studio: Studio) -> None:
    studio.quicken(1)
    post(studio, "queue/pause")
    studio.page.get_by_role("button", name="Queue", exact=True).click()
    try:
        for seed in ("41", "42", "43"):
            set_value(studio, "seed", seed)
            studio.page.keyboard.press("Control+Shift+Enter")
            expect(studio.page.locator("ol.jobs .job")).to_have_count(int(seed) - 40)
        ids = ask(studio, "queue")["queued"]
        assert isinstance(ids, list)
        expect(studio.page.locator("ol.jobs .job-name small").first).to_have_text(re.compile("^seed 41 · .+"))
        chosen = studio.page.locator("ol.jobs .job").nth(1).get_by_role("combobox")
        chosen.focus()
        post(studio, f"jobs/{ids[0]}/rerun")
        expect(studio.page.locator("ol.jobs .job")).to_have_count(4)
        expect(chosen).to_be_focused()
        studio.page.locator("ol.jobs .job").nth(3).get_by_role("button", name=re.compile("^Cancel")).click()
        expect(studio.page.locator("ol.jobs .job")).to_have_count(3)
        last = studio.page.locator("ol.jobs .job").nth(2)
        last.focus()
        last.press("Alt+ArrowUp")
        expect(studio.page.locator("ol.jobs .job").nth(1)).to_be_focused()
        assert ask(studio, "queue")["queued"] == [ids[0], ids[2], ids[1]]
        grip = {"x": 12.0, "y": 20.0}
        first, second = (studio.page.locator("ol.jobs .job").nth(i) for i in range(2))
        second.drag_to(first, source_position=grip, target_position=grip)  # type: ignore[arg-type]
        expect(studio.page.locator("ol.jobs .job").nth(0)).to_have_attribute("data-job", str(ids[2]))
        studio.page.locator("ol.jobs .job").nth(0).get_by_role("button", name=re.compile("^Cancel")).click()
        expect(studio.page.locator("ol.jobs .job")).to_have_count(2)
        studio.button("Cancel all that wait").click()
        expect(studio.page.locator("ol.jobs .job")).to_have_count(0)
        expect(studio.page.get_by_text("Paused: what runs goes on")).to_be_visible()
    finally:
        studio.button("Resume the queue").click()
        expect(studio.button("Pause the queue")).to_be_visible()
    assert studio.complaints == []


def test_jobs_of_others_tell_how_far_they_are_while_the_queue_is_looked_at(studio: Studio) -> None:
    """Sent by another program; followed while the panel is open, and with the time left once that is known."""
    lines: list[WebSocket] = []
    studio.page.on("websocket", lambda line: lines.append(line) if "job=" in line.url else None)
    workflow = studio.document()
    workflow["nodes"]["5"]["inputs"] |= {"steps": 1000, "seed": 8181}
    body = json.dumps({"workflow": workflow}).encode()
    address = f"{studio.url}api/v1/jobs"
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"}, method="POST")
    with urllib.request.urlopen(request) as answer:
        job = json.load(answer)["id"]
    try:
        studio.page.get_by_role("button", name="Queue", exact=True).click()
        row = studio.page.locator(f'.job.running[data-job="{job}"]')
        bar = row.get_by_role("progressbar")
        expect(bar).to_be_visible(timeout=RUN_MS)
        expect(bar).not_to_have_js_property("value", 0)
        expect(row).to_contain_text("seed 8181")
        expect(row).to_contain_text(re.compile(r"\d (s|min.*) left"))
        assert len(lines) == 1
        row.get_by_role("button", name=re.compile("^Cancel")).focus()
        before = bar.evaluate("each => each.value")
        expect(bar).not_to_have_js_property("value", before)
        expect(row.get_by_role("button", name=re.compile("^Cancel"))).to_be_focused()
        with lines[0].expect_event("close"):
            studio.page.get_by_role("button", name="Result", exact=True).click()
        with studio.page.expect_websocket(lambda line: job in line.url):
            studio.page.get_by_role("button", name="Queue", exact=True).click()
        row.get_by_role("button", name=re.compile("^Cancel")).click()
        expect(row).to_have_count(0)
    finally:
        post(studio, f"jobs/{job}/cancel")
    assert studio.complaints == []


def test_a_model_under_another_name_is_found_by_its_content(studio: Studio) -> None:
    """The workflow knows what its files hold; where it is opened, the file is called otherwise."""
    known = "weft-emoji.safetensors"
    facts = ask(studio, f"models/checkpoints/{known}")
    fact = {name: facts[name] for name in ("hash", "size")}
    document = studio.document() | {"files": {"checkpoints/theirs/emoji-final-2.safetensors": fact}}
    document["nodes"]["1"]["inputs"] |= {"checkpoint": "theirs/emoji-final-2.safetensors"}
    studio.drop(studio.page.locator(".canvas"), "theirs.json", "application/json", json.dumps(document).encode())
    expect(studio.page.get_by_label("Name of the workflow")).to_have_value("theirs")
    studio.button("Run").click()
    panel = studio.page.get_by_role("region", name="Problems")
    first = panel.get_by_role("button", name=re.compile("^Use "), exact=False).first
    expect(first).to_have_text(f"Use {known}, which has the same content")
    first.click()
    expect(panel).to_be_hidden()
    assert studio.document()["nodes"]["1"]["inputs"]["checkpoint"] == known
    assert studio.complaints == []


def test_every_picture_of_a_batch_is_previewed_and_a_run_is_repeated_from_the_queue(studio: Studio) -> None:
    batch = studio.node("4").get_by_label("batch", exact=True)
    batch.fill("2")
    batch.press("Tab")
    studio.button("Run").click()
    preview = studio.page.get_by_role("img", name="Preview of the picture being made")
    expect(preview).to_be_visible(timeout=RUN_MS)
    assert preview.evaluate("({ width, height }) => width / height") == 2
    studio.wait_for_end()
    studio.page.keyboard.press("q")
    first = jobs(studio)[0]["id"]
    with studio.page.expect_response(re.compile("/rerun$")) as answer:
        studio.page.get_by_role("button", name=re.compile("^Run .* again")).first.click()
    again = answer.value.json()["id"]
    deadline = time.monotonic() + RUN_MS / 1000
    while ask(studio, f"jobs/{again}")["state"] != "done" and time.monotonic() < deadline:
        studio.page.wait_for_timeout(100)
    assert ask(studio, f"jobs/{again}")["state"] == "done"
    assert ask(studio, f"jobs/{again}/workflow") == ask(studio, f"jobs/{first}/workflow")
    expect(studio.page.locator(f'.job.done[data-job="{again}"]')).to_contain_text("a dog face")
    repeat = studio.page.locator(f'.job[data-job="{first}"]').get_by_role("button", name=re.compile("^Run .* again"))
    expect(repeat).to_be_focused()


def test_problems_are_put_right_at_a_press(studio: Studio) -> None:
    document = studio.document()
    document["nodes"]["5"]["inputs"] |= {"cfg": 900, "sampler": "eulr"}
    del document["nodes"]["6"]["inputs"]["vae"]
    document["nodes"]["1"]["inputs"] |= {"checkpoint": "weft-emoij.safetensors"}
    canvas = studio.page.locator(".canvas")
    studio.drop(canvas, "broken.json", "application/json", json.dumps(document).encode())
    expect(studio.page.get_by_label("Name of the workflow")).to_have_value("broken")
    studio.button("Run").click()
    panel = studio.page.get_by_role("region", name="Problems")
    expect(panel.locator("li")).to_have_count(4)
    for name in ("Use 100", "Use euler", "Link Load checkpoint", "Use weft-emoji.safetensors"):
        panel.get_by_role("button", name=name, exact=True).click()
    expect(panel.locator("li")).to_have_count(0)
    inputs = studio.document()["nodes"]
    assert (inputs["5"]["inputs"]["cfg"], inputs["5"]["inputs"]["sampler"]) == (100, "euler")
    assert inputs["6"]["inputs"]["vae"] == {"node": "1", "output": "vae"}
    studio.page.keyboard.press("Control+z")
    expect(studio.page.get_by_text("weft-emoij.safetensors (not found)")).to_be_attached()
    assert studio.complaints == []


def test_a_cut_stream_goes_on_where_it_was(studio: Studio) -> None:
    """Every connection is cut in the middle of a run: nothing of it is missed, and nothing complained of."""
    held: list[WebSocketRoute] = []

    def carry(route: WebSocketRoute) -> None:
        route.connect_to_server()
        held.append(route)

    studio.page.route_web_socket(re.compile("/events"), carry)
    studio.page.reload()
    studio.node("5").wait_for()
    set_value(studio, "seed", "5150")
    studio.button("Run").click()
    expect(studio.badge("5")).to_have_text(re.compile("of 28"), timeout=RUN_MS)
    before = len(held)
    for route in held:
        route.close(code=1001)
    expect(studio.page.locator(".notice")).to_contain_text("Connected again")
    studio.wait_for_end()
    expect(studio.badge("7")).to_have_text(re.compile("^ran"))
    assert len(held) == 2 * before == 4
    assert studio.complaints == []


def test_a_long_run_that_ends_in_a_hidden_tab_is_announced(studio: Studio) -> None:
    """By a notification, two notes where sound is wanted, and a mark in the title until the page is looked at."""
    page = studio.page
    page.evaluate(
        """() => {
            localStorage.setItem("weft.settings", JSON.stringify({ sound: true }));
        }"""
    )
    page.reload()
    studio.node("5").wait_for()
    page.evaluate(
        """() => {
            window.told = [];
            window.notes = [];
            window.later = 0;
            class Told { constructor(title, { body }) { window.told.push(`${title}: ${body}`); } }
            Told.permission = "granted";
            window.Notification = Told;
            const start = OscillatorNode.prototype.start;
            OscillatorNode.prototype.start = function (...at) {
                window.notes.push(Math.round(this.frequency.value));
                return start.apply(this, at);
            };
            const now = performance.now.bind(performance);
            performance.now = () => now() + window.later;
        }"""
    )

    def run(seed: str, later: int, hidden: bool) -> None:
        set_value(studio, "seed", seed)
        studio.button("Run").click()
        expect(studio.badge("5")).to_have_text(re.compile("of 28"), timeout=RUN_MS)
        state = "hidden" if hidden else "visible"
        page.evaluate(
            """([later, state]) => {
                window.later += later;
                Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
            }""",
            [later, state],
        )
        studio.wait_for_end()

    run("801", 0, hidden=True)
    run("802", 60_000, hidden=False)
    assert page.evaluate("[told, notes]") == [[], []]
    run("803", 65_000, hidden=True)
    (told,) = page.evaluate("told")
    assert re.fullmatch(r"The picture is ready: Untitled, 1 min \d+ s", told)
    assert page.evaluate("notes") == [523, 784]
    run("804", 65_000, hidden=True)
    expect(page).to_have_title(re.compile("^● The picture is ready · [^●]*$"))
    page.evaluate("dispatchEvent(new Event('focus'))")
    expect(page).to_have_title(re.compile("^Weft"))
    assert studio.complaints == []


def test_a_run_that_begins_anew_says_why(studio: Studio) -> None:
    """As when its worker died; not when the events of one that has ended are read again."""
    held: list[WebSocketRoute] = []

    def carry(route: WebSocketRoute) -> None:
        route.connect_to_server()
        held.append(route)

    studio.page.route_web_socket(re.compile("/events.job="), carry)
    set_value(studio, "seed", "5151")
    studio.button("Run").click()
    expect(studio.badge("5")).to_have_text(re.compile("of 28"), timeout=RUN_MS)
    held[-1].send(json.dumps({"type": "state", "state": "queued", "reason": "the worker was killed by signal 9"}))
    expect(studio.page.locator(".notice")).to_have_text("The engine stopped and starts again; the run begins anew.")
    studio.wait_for_end()
    assert studio.complaints == []
