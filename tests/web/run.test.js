import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { deflateSync, inflateSync } from "node:zlib";

import { encodePng, readText, writeText } from "../../web/core/png.js";
import { reasonOf } from "../../web/core/reasons.js";
import { byteSize, duration, fraction, IDLE, isActive, reduce, rootOf, sentence } from "../../web/core/run.js";
import { phrasing } from "../../web/core/phrases.js";
import { filled, learn, named, phrase, speak, tongueOf } from "../../web/core/strings.js";
import { tables } from "./language.js";

const EVENTS = [
  { n: 1, type: "state", state: "running" },
  { n: 2, type: "queued", node: "2", reason: "input seed changed 6 -> 7" },
  { n: 3, type: "cached", node: "1", reason: "same inputs" },
  { n: 4, type: "started", node: "2", reason: "input seed changed 6 -> 7" },
  { n: 5, type: "progress", node: "2", step: 3, total: 4 },
];

test("events fold into the state of each node", () => {
  const { run, touched } = reduce({ ...IDLE, job: "j", state: "queued" }, EVENTS);
  assert.equal(run.state, "running");
  assert.equal(run.active, "2");
  assert.deepEqual(run.nodes.get("1"), { state: "cached", reason: "same inputs" });
  assert.deepEqual(run.nodes.get("2"), { state: "running", reason: "input seed changed 6 -> 7", step: 3, total: 4 });
  assert.deepEqual([...touched].sort(), ["1", "2"]);
  assert.equal(fraction(run), (1 + 0.75) / 2);
  const done = reduce(run, [{ n: 6, type: "finished", node: "2", ms: 1234 }, { n: 7, type: "state", state: "done" }]).run;
  assert.deepEqual(done.nodes.get("2"), { state: "ran", reason: "input seed changed 6 -> 7", ms: 1234 });
  assert.equal(done.active, null);
  assert.equal(isActive(done), false);
});

test("a snapshot stands for events that are forgotten", () => {
  const nodes = { 1: { state: "cached", reason: "same inputs", ms: 0 }, 2: { state: "failed", reason: "no", ms: null } };
  const { run, touched } = reduce({ ...IDLE, job: "j", state: "queued" }, /** @type {any} */ ([
    { n: 8, type: "snapshot", nodes },
    { n: 9, type: "state", state: "failed", error: { message: "no" } },
  ]));
  assert.deepEqual([run.state, run.last], ["failed", 9]);
  assert.deepEqual([run.nodes.get("1")?.state, run.nodes.get("2")?.reason], ["cached", "no"]);
  assert.deepEqual([...touched].sort(), ["1", "2"]);
});

test("events seen before change nothing, so that a replay is harmless", () => {
  const { run } = reduce(IDLE, EVENTS);
  const again = reduce(run, EVENTS);
  assert.deepEqual(again.run, run);
  assert.equal(again.touched.size, 0);
});

test("a failure belongs to its node and port; what was waiting waits no more", () => {
  const { run } = reduce(IDLE, [
    ...EVENTS,
    { n: 6, type: "queued", node: "3", reason: "" },
    { n: 7, type: "failed", node: "2", error: { code: "node_failed", message: "out of memory", port: "latent" } },
    { n: 8, type: "skipped", node: "4", reason: "KSampler failed" },
    { n: 9, type: "state", state: "failed", error: { code: "node_failed", message: "out of memory", node: "2" } },
  ]);
  assert.equal(run.nodes.get("2")?.error?.port, "latent");
  assert.equal(run.nodes.get("2")?.error?.node, "2");
  assert.equal(run.nodes.get("4")?.state, "skipped");
  assert.equal(run.nodes.has("3"), false);
  assert.equal(run.error?.message, "out of memory");
});

test("of nodes that run side by side, one that still runs is named", () => {
  const started = [{ type: "started", node: "1", reason: "" }, { type: "started", node: "2", reason: "" }];
  const { run } = reduce(IDLE, [...started, { type: "finished", node: "2", ms: 1 }]);
  assert.equal(run.active, "1");
  assert.equal(reduce(run, [{ type: "finished", node: "1", ms: 1 }]).run.active, null);
});

test("a job that starts over forgets its earlier attempt", () => {
  const { run } = reduce(IDLE, [...EVENTS, { n: 6, type: "state", state: "running" }]);
  assert.equal(run.nodes.size, 0);
});

test("a message beside its node does not name the node again", () => {
  const problem = (/** @type {string} */ message) => ({ code: "x", node: "5", port: "latent", message });
  assert.equal(sentence(problem("node 5 KSampler: input latent is missing"), "KSampler"), "Input latent is missing");
  assert.equal(sentence(problem("node 5: there is no node type"), "KSampler"), "There is no node type");
  assert.equal(sentence(problem("out of memory: 5 GB"), "KSampler"), "Out of memory: 5 GB");
});

test("durations read like a person says them", () => {
  assert.deepEqual([0.4, 12, 999, 1234, 61_000].map(duration), ["0 ms", "12 ms", "999 ms", "1.2 s", "1 min 1 s"]);
  assert.deepEqual([999.7, 59_990, 119_700, 3_599_800, 7_500_000].map(duration), ["1.0 s", "1 min 0 s", "2 min 0 s", "1 h 0 min", "2 h 5 min"]);
});

/** @param {string} kind @param {Uint8Array} data */
function chunk(kind, data) {
  const bytes = new Uint8Array(12 + data.length);
  new DataView(bytes.buffer).setUint32(0, data.length);
  bytes.set(new TextEncoder().encode(kind), 4);
  bytes.set(data, 8);
  return bytes;
}

/** @param {...Uint8Array} parts */
const png = (...parts) => Uint8Array.from([137, 80, 78, 71, 13, 10, 26, 10, ...parts.flatMap((part) => [...part])]);
const bytes = (/** @type {string} */ text) => new TextEncoder().encode(text);

test("text chunks of a picture are read, plain and compressed", async () => {
  const packed = deflateSync('{"name": "鸮"}');
  const file = png(
    chunk("IHDR", new Uint8Array(13)),
    chunk("tEXt", bytes("plain\0hello")),
    chunk("iTXt", bytes("workflow\0\0\0\0\0{\"name\": \"鸮\"}")),
    chunk("iTXt", Uint8Array.from([...bytes("packed\0"), 1, 0, 0, 0, ...packed])),
    chunk("zTXt", Uint8Array.from([...bytes("z\0"), 0, ...deflateSync("deep")])),
    chunk("IEND", new Uint8Array()),
  );
  const texts = await readText(file);
  assert.deepEqual([...(texts ?? [])], [["plain", "hello"], ["workflow", '{"name": "鸮"}'], ["packed", '{"name": "鸮"}'], ["z", "deep"]]);
});

test("a file that is no picture, is cut short, or lies about its length is no harm", async () => {
  assert.equal(await readText(bytes('{"nodes": {}}')), null);
  assert.equal((await readText(png(chunk("tEXt", bytes("workflow\0x")).subarray(0, 14))))?.size, 0);
  const lying = chunk("tEXt", bytes("workflow\0x"));
  new DataView(lying.buffer).setUint32(0, 0xffffffff);
  assert.equal((await readText(png(lying)))?.size, 0);
});

test("a node shows what its copies, and the nodes that grew of it or lie in it, make together", () => {
  const { run } = reduce(IDLE, [
    { n: 1, type: "state", state: "running" },
    { n: 2, type: "queued", node: "5@1", reason: "never run" },
    { n: 3, type: "queued", node: "5@2", reason: "never run" },
    { n: 4, type: "cached", node: "5@3", reason: "same inputs" },
    { n: 5, type: "started", node: "5@1", reason: "never run" },
    { n: 6, type: "progress", node: "5@1", step: 1, total: 2 },
    { n: 7, type: "started", node: "c/8/2", reason: "never run" },
  ]);
  assert.deepEqual(run.nodes.get("5"), { state: "running", reason: "never run", step: 1, total: 3 });
  assert.equal(run.nodes.get("c")?.state, "running");
  assert.equal(run.nodes.get("c/8")?.state, "running");
  assert.equal(run.told.has("5"), false);
  assert.equal(fraction(run), (1 + 0.5) / 4);
  assert.equal(rootOf("c/8/2"), "c");
  const over = reduce(run, [
    { n: 8, type: "finished", node: "5@1", ms: 10 },
    { n: 9, type: "started", node: "5@2", reason: "never run" },
    { n: 10, type: "finished", node: "5@2", ms: 5 },
    { n: 11, type: "failed", node: "c/8/2", error: { message: "no", port: "x" } },
    { n: 12, type: "state", state: "failed" },
  ]).run;
  assert.deepEqual(over.nodes.get("5"), { state: "ran", reason: "never run", ms: 15 });
  assert.equal(over.nodes.get("c")?.error?.message, "no");
});

test("an estimate says how long it still takes, until the end", () => {
  const { run } = reduce({ ...IDLE, state: "queued" }, [
    { n: 1, type: "state", state: "running" },
    { n: 2, type: "started", node: "5", reason: "" },
    { n: 3, type: "estimate", ms: 2000, left_ms: 500, peak_bytes: 3 * 2 ** 20, unknown: 0 },
  ]);
  assert.equal(fraction(run), 0.75);
  assert.deepEqual(run.estimate, { ms: 2000, left: 500, bytes: 3 * 2 ** 20, unknown: 0 });
  assert.equal(reduce(run, [{ n: 4, type: "state", state: "done" }]).run.estimate, null);
  assert.deepEqual([0, 900, 1536, 3 * 2 ** 20, 5.25 * 2 ** 30].map(byteSize), ["0 B", "900 B", "2 KB", "3.0 MB", "5.3 GB"]);
});

test("a picture with transparency keeps the colours of transparent pixels", async () => {
  const rgba = new Uint8ClampedArray([10, 20, 30, 0, 40, 50, 60, 255]);
  const bytes = new Uint8Array(await (await encodePng(2, 1, rgba)).arrayBuffer());
  const at = Buffer.from(bytes).indexOf("IDAT") + 4;
  const length = new DataView(bytes.buffer).getUint32(at - 8);
  assert.deepEqual([...inflateSync(bytes.subarray(at, at + length))], [0, ...rgba]);
  assert.deepEqual(await readText(writeText(bytes, "workflow", "{}")), new Map([["workflow", "{}"]]));
});

test("a reason names nodes as the sheet does", () => {
  const naming = (/** @type {string} */ id, /** @type {string} */ title) => (id === "6" ? "VAE 解码" : title);
  assert.equal(reasonOf("input image changed (from 6 VAE decode), input cfg changed 6 -> 7", naming), "image comes changed from VAE 解码, cfg 6 → 7");
  assert.equal(reasonOf("6 VAE decode failed", naming), "VAE 解码 failed");
  assert.equal(reasonOf("input latent changed (from KSampler)", naming), "latent comes changed from KSampler");
});

test("what is wrong is said in Chinese, names and numbers as they are", () => {
  const codes = /Code = Literal\[(.*?)\]/s.exec(readFileSync("graph/problems.py", "utf-8"))?.[1].match(/\w+/g) ?? [];
  assert.ok(codes.length > 10);
  const problem = (/** @type {string} */ code, /** @type {string} */ expected = "", got = "", message = "") => ({ code, node: "5", port: "weight", message, expected, got });
  speak("zh", []);
  learn([tables("zh")], phrasing);
  try {
    for (const code of codes) assert.match(sentence(problem(code), ""), /[\u4e00-\u9fff]/, code);
    const notes = /SENTENCES[^{]*\{(.*?)\n\}/s.exec(readFileSync("compat/workflows/notes.py", "utf-8"))?.[1].match(/(?<=^ +")\w+/gm) ?? [];
    assert.ok(notes.length > 5);
    for (const code of notes) assert.match(named(`foreign.${code}`, ""), /[\u4e00-\u9fff]/, code);
    const says = (/** @type {[string, string, string]} */ ...what) => sentence(problem(...what), "");
    assert.equal(says("bad_value", "a number from 0.0 to 30.0", "99"), "输入“权重”不能是 99，应为：0.0 到 30.0 之间的数。");
    assert.equal(says("bad_value", "a file in 'loras' (there is no file 'a, b.safetensors' in 'loras')", '"a"'), "输入“权重”不能是 \"a\"，应为：“loras”文件夹中的文件，而那里没有“a, b.safetensors”。");
    assert.equal(says("bad_value", "one of euler, dpm_2", '"x"'), "输入“权重”不能是 \"x\"，应为：以下之一：euler, dpm_2。");
    assert.equal(says("wrong_type", "Latent", "Conditioning"), "输入“权重”应为：Latent。收到的是：Conditioning。");
    assert.equal(phrase("the disk of /weft/output is full; make room on it, then run again"), "/weft/output 所在的磁盘已满；请腾出空间后重新运行");
    assert.equal(sentence({ ...problem("node_failed", "", "", "odd"), cells: ["cfg 4", "cfg 7"] }, ""), "cfg 4; cfg 7：odd");
    assert.equal(phrase("did you mean 'euler'?"), "是不是“euler”？");
    assert.equal(sentence(problem("error", "", "", "node 5 KSampler: odd"), "KSampler"), "Odd");
    const failed = { ...problem("node_failed", "", "", "node 5 KSampler: odd"), type: "ValueError" };
    assert.equal(sentence(failed, "KSampler"), "Odd");
    assert.equal(tongueOf(sentence(failed, "KSampler")), "en");
    assert.match(sentence({ ...failed, type: "OutOfMemoryError" }, "KSampler"), /^显存不足。.+odd$/);
    const fails = (/** @type {string} */ message) => sentence(problem("node_failed", "", "", `node 5 KSampler: ${message}`), "KSampler");
    assert.equal(fails("clip: the checkpoint this comes from holds no text encoder; add a CLIPLoader and connect it"), "CLIP：来源检查点不含文本编码器；请添加“加载文本编码器”节点并连接");
    assert.equal(fails("a: b.safetensors: expected a VAE; it is a whole checkpoint"), "A：b.safetensors：应为 VAE；这是完整的检查点");
    assert.equal(fails("sampler: expected one of euler, heun, got 'a: b'"), "采样器：应为以下之一：euler, heun，实际是 a: b");
    assert.equal(tongueOf(fails("a.png: the picture is damaged: broken")), null);
    assert.equal(says("bad_document", "JSON", "Expecting value: line 1 column 2 (char 1)"), "工作流的内容有误：应为：JSON，实际是：第 1 行第 2 列：缺少值。");
    assert.equal(sentence({ ...problem("worker_lost"), cause: "the worker ended with exit code 3" }, ""), "运行任务的引擎进程意外结束：退出代码为 3。");
    assert.equal(reasonOf("the worker was killed by SIGKILL"), "被系统强制终止，常因内存不足");
  } finally {
    speak("en", [tables("en")]);
  }
});

test("no phrase stands in the way of another one", () => {
  const table = tables("zh");
  const phrases = Object.entries(table).filter(([key]) => key.startsWith("phrase."));
  assert.ok(phrases.length > 200);
  speak("zh", []);
  learn([table], phrasing);
  try {
    for (const [key, own] of phrases) {
      const holes = [...own.matchAll(/\{(\d+)\}/g)].map(([, hole]) => Number(hole));
      const parts = key.split("*").length - 1;
      assert.ok(holes.every((hole) => hole < parts), key);
      assert.equal(phrase(key.slice("phrase.".length).replaceAll("*", "7")), filled(own, Object.fromEntries(holes.map((hole) => [hole, "7"]))), key);
    }
  } finally {
    speak("en", [tables("en")]);
  }
});
