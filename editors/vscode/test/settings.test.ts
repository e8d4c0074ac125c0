import assert from "node:assert/strict";
import { test } from "node:test";

import { FEATURES, commandLine, initializationOptions, searchLimit } from "../src/settings";

const settings =
  (values: Record<string, unknown>) =>
  (name: string): unknown =>
    values[name];

test("every feature is on unless it is switched off", () => {
  const options = initializationOptions(settings({ "features.hover": false, "features.codeLens": "yes" }));
  assert.deepEqual(Object.keys(options), [...FEATURES]);
  assert.deepEqual(FEATURES.filter((feature) => !options[feature]), ["hover"]);
});

test("a command line that is no list of words means the usual one", () => {
  for (const given of [undefined, "ctx lsp", [], [""], ["ctx", 1]]) {
    assert.deepEqual(commandLine(settings({ command: given })), ["ctx", "lsp"]);
  }
  assert.deepEqual(commandLine(settings({ command: ["/opt/ctx", "lsp", "-v"] })), ["/opt/ctx", "lsp", "-v"]);
});

test("a limit that is no positive whole number means the usual one", () => {
  assert.deepEqual([5, 0, -1, 1.5, "9"].map((given) => searchLimit(settings({ "search.limit": given }))), [5, 20, 20, 20, 20]);
});
