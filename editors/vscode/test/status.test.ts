import assert from "node:assert/strict";
import { test } from "node:test";

import { STATES, shortCount, statusBar, statusFrom } from "../src/status";

test("a server that answers shows READY, its name and the tokens", () => {
  const bar = statusBar({ state: "ready", server: "basedpyright", detail: "", tokens: 1234 });
  assert.deepEqual(bar, {
    text: "$(check) ctx READY basedpyright 1.2kt",
    tooltip: "The language server answers.\n1234 tokens handed on",
    isWarning: false,
  });
});

test("in a fallback the server that does not answer is not named, and the reason is in the tooltip", () => {
  const bar = statusBar({ state: "fallback", server: "ty", detail: "timeout", tokens: 0 });
  assert.equal(bar.text, "$(circle-slash) ctx fallback");
  assert.match(bar.tooltip, /\ntimeout\n/);
});

test("only what a person has to do something about is a warning", () => {
  const warnings = STATES.filter((state) => statusBar({ state, server: "", detail: "", tokens: 0 }).isWarning);
  assert.deepEqual(warnings, ["stopped", "missing"]);
});

test("a status with missing parts is read, one with an unknown state is not", () => {
  assert.deepEqual(statusFrom({ state: "warming" }), { state: "warming", server: "", detail: "", tokens: 0 });
  assert.equal(statusFrom({ state: "dancing", tokens: 1 }), undefined);
  assert.equal(statusFrom(null), undefined);
  assert.equal(statusFrom("ready"), undefined);
});

test("counts are cut, not rounded up to what was not used", () => {
  const shown = [0, 999, 1000, 1999, 999_999, 3_400_000].map(shortCount);
  assert.deepEqual(shown, ["0", "999", "1.0k", "1.9k", "999.9k", "3.4M"]);
});
