import assert from "node:assert/strict";
import { test } from "node:test";

import { choices, gottenText, outline, whyNothing } from "../src/documents";

test("a hit is a line with its name, place, cost and signature in one line", () => {
  const hit = { path: "a.py", start_line: 3, end_line: 9, qualname: "f", tokens: 12, signature: "def f(\n    x\n)" };
  assert.deepEqual(choices({ query: "f", hits: [hit], total_tokens: 12 }), [
    { label: "f", description: "a.py:3  12t", detail: "def f( x )", path: "a.py", line: 3 },
  ]);
});

test("an empty answer says why, or that it is one", () => {
  assert.equal(whyNothing({ reason: "no such word" }), "no such word");
  assert.equal(whyNothing({ reason: "" }), "nothing was found");
  assert.equal(whyNothing({}), "nothing was found");
});

test("a gotten text has a head for each item, and says when it was cut", () => {
  const item = { path: "a.py", start_line: 3, end_line: 4, mode: "raw", text: "x = 1\n", tokens: 4 };
  const got = { items: [item, item], total_tokens: 8, budget: 8, truncated: true };
  const one = "== a.py:3-4 raw 4t\nx = 1\n";
  assert.equal(gottenText(got), `${one}\n${one}\n(cut at 8 tokens)\n`);
});

test("an outline has nested parts indented and leaves out what is empty", () => {
  const document = { schema: "ctx.x/1", none: null, empty: {}, lsp: { count: 2, rate: null }, list: ["a"] };
  assert.equal(outline(document), 'schema: "ctx.x/1"\nlsp\n  count: 2\nlist\n  0: "a"\n');
});
