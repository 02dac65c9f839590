import assert from "node:assert/strict";
import { test } from "node:test";

import { parse } from "../../web/core/markdown.js";

test("headings, items, paragraphs and code are told apart", () => {
  const kinds = parse("# One\n## Two\n### Three\n- a\n* b\n12. c\n\nplain\n```\n# no heading\n\n```\n#no").map(({ kind, spans }) => [kind, spans.map((span) => span.text).join("")]);
  assert.deepEqual(kinds, [["h1", "One"], ["h2", "Two"], ["h3", "Three"], ["item", "a"], ["item", "b"], ["item", "c"], ["text", "plain"], ["code", "# no heading\n"], ["text", "#no"]]);
});

test("bold, italic, code and web links lie within a line", () => {
  const [{ spans }] = parse("a **b** *c* `d*e*` [f](https://g.example/h) 猫");
  assert.deepEqual(spans, [
    { text: "a " }, { text: "b", style: "bold" }, { text: " " }, { text: "c", style: "italic" }, { text: " " }, { text: "d*e*", style: "code" },
    { text: " " }, { text: "f", href: "https://g.example/h" }, { text: " 猫" },
  ]);
});

test("no other address becomes a link, and no text is lost", () => {
  for (const text of ["[a](javascript:alert(1))", "[a](data:text/html,x)", "[a](/etc)", "<img src=x onerror=1>", "**", "[]()", "`"]) {
    const [{ spans }] = parse(text);
    assert.equal(spans.map((span) => span.text).join(""), text);
    assert.ok(spans.every((span) => span.href === undefined));
  }
  assert.deepEqual(parse("```\nopen"), [{ kind: "code", spans: [{ text: "open" }] }]);
});
