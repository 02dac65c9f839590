import assert from "node:assert/strict";
import { test } from "node:test";

import { evaluate } from "../../web/core/expression.js";
import { parseExactly } from "../../web/core/json.js";
import { knotsOf, textOf } from "../../web/core/knots.js";
import { nameAt, reweighed } from "../../web/core/prompt.js";
import { afterRun, isSeed, nextSeed, seedAfter, seedsOf, withAfterRun } from "../../web/core/seeds.js";

test("arithmetic is read as a person writes it", () => {
  const cases = { "1024*1.5": 1536, "(512+64)/8": 72, "2^10": 1024, "2^3^2": 512, "-3+5": 2, "7 % 4": 3, "1e3/4": 250, "2×3÷4": 1.5, ".5*2": 1, "-2^2": -4, "8/2/2": 2, " 42 ": 42, "2**10": 1024, "（１＋２）＊４": 12, "1e-3": 0.001, "1 024": 1024, "1,024": 1024, "1_000_000": 1e6, "12,000*2": 24000, "512 px": 512, "(256+256)像素": 512, "２０步": 20 };
  for (const [text, value] of Object.entries(cases)) assert.equal(evaluate(text), value, text);
});

test("what is no arithmetic has no value, and nothing is executed", () => {
  for (const text of ["", "1+", "(1", "1)", "alert(1)", "1;2", "1/0", "0/0", "1 2", "512,768", "20,100", "1,024,0", "px", "constructor", "()", "((((".repeat(50), "2^9999", "1..2", "--", "𝟙"]) {
    assert.equal(evaluate(text), null, text);
  }
  assert.equal(evaluate(`${"(".repeat(1000)}1${")".repeat(1000)}`), null);
  assert.equal(evaluate("-".repeat(100_000) + "1"), null);
});

/** "a |word| b" with bars around what is marked. @param {string} text @param {1 | -1} direction */
function weighed(text, direction) {
  const start = text.indexOf("|");
  const end = text.lastIndexOf("|") - (text.indexOf("|") === text.lastIndexOf("|") ? 0 : 1);
  const { text: after, start: a, end: b } = reweighed({ text: text.replaceAll("|", ""), start, end }, direction);
  return `${after.slice(0, a)}|${after.slice(a, b)}|${after.slice(b)}`;
}

test("weights go up and down by a tenth, and parentheses come and go", () => {
  assert.equal(weighed("a red ap|ple, green", 1), "a red (|apple|:1.1), green");
  assert.equal(weighed("a (|apple|:1.1)", 1), "a (|apple|:1.2)");
  assert.equal(weighed("a (app|le:1.1)", -1), "a |apple|");
  assert.equal(weighed("a |apple|", -1), "a (|apple|:0.9)");
  assert.equal(weighed("|(red apple:1.3)|", -1), "(|red apple|:1.2)");
  assert.equal(weighed("a (|red apple|)", 1), "a (|red apple|:1.2)");
  assert.equal(weighed("a | |b", 1), "a | |b");
  assert.equal(weighed("(a:-0.1) |b|", 1), "(a:-0.1) (|b|:1.1)");
  assert.equal(weighed("|(a:1.2), (b:1.3)|", 1), "(|(a:1.2), (b:1.3)|:1.1)");
  assert.equal(weighed("|((a:1.2), b:1.3)|", 1), "(|(a:1.2), b|:1.4)");
  assert.equal(weighed("a cat \\(ani|mal\\)", 1), "a cat (|\\(animal\\)|:1.1)");
  assert.equal(weighed("一只小|猫，蓝天", 1), "(|一只小猫|:1.1)，蓝天");
});

test("a number at the caret is changed by itself", () => {
  assert.equal(weighed("a <lora:em|oji:0.8> b", 1), "a <lora:em||oji:0.9> b");
  assert.equal(weighed("a <lora:emoji:0|.9> b", 1), "a <lora:emoji:|1|> b");
  assert.equal(weighed("<lora:2:|1|>", -1), "<lora:2:|0.9|>");
  assert.equal(weighed("<lora:|2:0.1>", -1), "<lora:||2:0>");
  assert.equal(weighed("<lora:a:0.8:|0.5|>", 1), "<lora:a:0.8:|0.6|>");
  assert.equal(weighed("<lora:a:-0.1|>", -1), "<lora:a:|-0.2|>");
  assert.equal(weighed("<lora:na|me>", 1), "<lora:na||me>");
  assert.equal(weighed("a |word <lora:name:0.8>", 1), "a (|word|:1.1) <lora:name:0.8>");
  assert.equal(weighed("(a red apple:|1.1)", 1), "(a red apple:|1.2|)");
  assert.equal(weighed("(a red apple:1.05|)", 1), "(a red apple:|1.15|)");
  assert.equal(weighed("[a:b:0.|5]", 1), "[a:b:|0.6|]");
  assert.equal(weighed("[a:b:|0.9|]", 1), "[a:b:|1.0|]");
  assert.equal(weighed("[a:b:0|.1|]", -1), "[a:b:|0.0|]");
  assert.equal(weighed("[a cat:1|0]", 1), "[a cat:|11|]");
  assert.equal(weighed("\\(at ten:1|0\\)", 1), "\\(at (|ten:10\\)|:1.1)");
});

test("every number at a caret undoes itself", () => {
  for (const text of ["<lora:a:|0.8|>", "<lora:a||b:0.855>", "<lora:a:|-1|>", "(two words:|1.3|)", "[a:b:|0.5|]", "[a:b:|1.0|]", "[a:b:|7|]", "(a:|0.25|)"]) {
    for (const [there, back] of /** @type {const} */ ([[1, -1], [-1, 1]])) {
      let now = text;
      for (let i = 0; i < 4; i++) now = weighed(now, there);
      for (let i = 0; i < 4; i++) now = weighed(now, back);
      assert.equal(now, text);
    }
  }
});

test("every weight undoes itself", () => {
  for (const text of ["|apple|", "a |red apple| b", "(|x|:1.5)", "(|x|:-2)"]) {
    let now = text;
    for (let i = 0; i < 7; i++) now = weighed(now, 1);
    for (let i = 0; i < 7; i++) now = weighed(now, -1);
    assert.equal(now, text);
  }
});

test("a name that is being typed is found at the caret", () => {
  assert.deepEqual(nameAt("a embedding:ch", 14), { folder: "embeddings", from: 12, typed: "ch" });
  assert.deepEqual(nameAt("embedding:", 10), { folder: "embeddings", from: 10, typed: "" });
  assert.deepEqual(nameAt("x, <lora:sty", 12), { folder: "loras", from: 9, typed: "sty" });
  assert.deepEqual(nameAt("猫，embedding:ch", 14), { folder: "embeddings", from: 12, typed: "ch" });
  assert.equal(nameAt("myembedding:x", 13), null);
  assert.equal(nameAt("embedding:x done", 16), null);
});

test("a seed after a run", () => {
  assert.equal(nextSeed("keep", 7), 7);
  assert.equal(nextSeed("increment", 7), 8);
  assert.equal(nextSeed("decrement", 0), 0);
  assert.equal(nextSeed("random", 7, () => 99), 99);
  const drawn = Number(nextSeed("random", 7));
  assert.ok(Number.isInteger(drawn) && drawn >= 0 && drawn < 1e9);
});

test("seeds of 64 bits keep every digit", () => {
  const text = '{"seed": 18446744073709551615, "small": 9007199254740991, "cfg": 0.30000000000000004, "large": 1e300, "text": "a \\" 18446744073709551615"}';
  assert.deepEqual(parseExactly(text), { seed: "18446744073709551615", small: 9007199254740991, cfg: 0.30000000000000004, large: 1e300, text: 'a " 18446744073709551615' });
  assert.throws(() => parseExactly("{1234567890123456"), SyntaxError);
  assert.equal(nextSeed("increment", Number.MAX_SAFE_INTEGER), "9007199254740992");
  assert.equal(nextSeed("decrement", "9007199254740992"), Number.MAX_SAFE_INTEGER);
  assert.equal(nextSeed("increment", "18446744073709551615"), "18446744073709551615");
  assert.equal(seedAfter("18446744073709551615", -10), "18446744073709551605");
  assert.deepEqual(["7", "x", "", "1.5", "-1", 3, null].map(isSeed), [true, false, false, false, false, true, false]);
});

test("the mode of a seed is a field of its node, absent where it is kept", () => {
  const node = { type: "KSampler", inputs: { seed: 3 } };
  assert.equal(afterRun(node, "seed"), "keep");
  const random = { ...node, after_run: withAfterRun(node, "seed", "random") };
  assert.deepEqual(random.after_run, { seed: "random" });
  assert.equal(afterRun(random, "seed"), "random");
  assert.equal(withAfterRun(random, "seed", "keep"), undefined);
  assert.equal(afterRun({ ...node, after_run: { seed: "nonsense" } }, "seed"), "keep");
  const spec = /** @type {any} */ ({ inputs: [{ name: "seed", widget: { kind: "Seed" } }, { name: "cfg", widget: { kind: "Slider" } }] });
  assert.deepEqual(seedsOf([["5", node], ["6", { type: "KSampler", inputs: { seed: { node: "5", output: "x" } } }]], () => spec), [{ id: "5", name: "seed", value: 3 }]);
});

test("a text of points is a curve and back", () => {
  assert.deepEqual(knotsOf("0: 7, 1: 1, 0.5: 5"), [{ x: 0, y: 7 }, { x: 0.5, y: 5 }, { x: 1, y: 1 }]);
  assert.equal(textOf(knotsOf("0:7,0.12345:5.678") ?? []), "0: 7, 0.123: 5.68");
  for (const text of ["middle", "7, 8, 9", "", "2: 1", "0: x", "1-8", "weft"]) assert.equal(knotsOf(text), null, text);
});
