import assert from "node:assert/strict";
import { test } from "node:test";

import { pathInSegment, programOf, segmentOf } from "../src/places";

test("the segment is the nearest folder with _ctx or .git, else the folder", () => {
  const has = new Set(["/home/ann/shop/.git", "/home/ann/shop/web/_ctx"]);
  const exists = (path: string): boolean => has.has(path);
  assert.equal(segmentOf("/home/ann/shop/web/src", exists), "/home/ann/shop/web");
  assert.equal(segmentOf("/home/ann/shop/src", exists), "/home/ann/shop");
  assert.equal(segmentOf("/tmp/loose", exists), "/tmp/loose");
});

test("a path is spelled from the segment", () => {
  assert.equal(pathInSegment("/home/ann/shop", "/home/ann/shop/src/cart.py"), "src/cart.py");
});

test("a program is found on PATH, in absolute folders only", () => {
  const isProgram = (path: string): boolean => ["bin/ctx", "/opt/bin/ctx", "/home/ann/tools/ctx"].includes(path);
  assert.equal(programOf("ctx", "bin:/usr/bin:/opt/bin", "/home/ann", isProgram), "/opt/bin/ctx");
  assert.equal(programOf("ctx", "bin:/usr/bin", "/home/ann", isProgram), undefined);
  assert.equal(programOf("~/tools/ctx", "", "/home/ann", isProgram), "/home/ann/tools/ctx");
  assert.equal(programOf("/usr/bin/ctx", "/opt/bin", "/home/ann", isProgram), undefined);
});
