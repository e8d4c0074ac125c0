// Drives a real VS Code (code-server) in headless Chromium, as scripts/check_vscode.py starts it, and says what it saw.
// node drive.cjs OPTIONS.json: {url, folder, settings, chromium, shots, unsaved: {gate, done}}. Prints one JSON object a line:
// {step, seen}; the last one is {ok, problem}. Between the unsaved edit and its undoing the file `gate` is written, and
// `done` waited for: the caller then looks from a shell.
const { chromium } = require("playwright-core");
const fs = require("node:fs");

const options = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const WAIT_MS = 60000;
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const flat = (texts) => texts.map((text) => text.replace(/\s+/g, " ").trim());

async function run(page) {
  const shot = (name) => page.screenshot({ path: `${options.shots}/${name}.png` });
  const list = () => page.locator(".quick-input-list .monaco-list-row");
  const statusBar = () => page.locator(".part.statusbar").innerText();
  const step = (name, seen) => say({ step: name, seen });

  const palette = async (title) => {
    await page.keyboard.press("F1");
    await page.waitForSelector(".quick-input-widget .quick-input-box input", { state: "visible", timeout: WAIT_MS });
    await page.keyboard.type(title);
    await list().filter({ hasText: title }).first().waitFor({ timeout: WAIT_MS });
    await page.keyboard.press("Enter");
  };
  // The cursor goes to a line and column, both counted from 1.
  const go = async (place) => {
    await page.locator(".monaco-editor .view-lines").first().click();
    await page.keyboard.press("Control+KeyG");
    await page.waitForSelector(".quick-input-widget .quick-input-box input", { state: "visible", timeout: WAIT_MS });
    await page.keyboard.type(place);
    await page.keyboard.press("Enter");
    const [line, column] = place.split(":");
    const shown = `Ln ${line}, Col ${column}`;
    await page.waitForFunction((text) => document.querySelector(".part.statusbar").innerText.includes(text), shown, { timeout: WAIT_MS });
  };
  const open = async (file) => {
    const folder = options.folder;
    const payload = encodeURIComponent(JSON.stringify([["openFile", `vscode-remote://${new URL(options.url).host}${folder}/${file}`]]));
    await page.goto(`${options.url}/?folder=${encodeURI(folder)}&payload=${payload}`);
    await page.waitForSelector(".monaco-editor .view-line", { timeout: WAIT_MS });
  };

  await open("shop/cart.py");
  step("editor", flat([await page.locator(".tab.active").first().getAttribute("aria-label")])[0]);
  await page.waitForFunction(() => /ctx (READY|fallback|alone|warming|indexing)/.test(document.querySelector(".part.statusbar").innerText), null, { timeout: WAIT_MS });
  await page
    .waitForFunction(() => /ctx READY/.test(document.querySelector(".part.statusbar").innerText), null, { timeout: WAIT_MS })
    .catch(() => undefined);
  step("status", /ctx [^\n]*/.exec(await statusBar())[0]);

  await page.waitForSelector(".codelens-decoration a", { timeout: WAIT_MS });
  step("lenses", flat(await page.locator(".codelens-decoration").allInnerTexts()));
  await shot("editor");

  await page.keyboard.press("Control+Shift+KeyO");
  await list().filter({ hasText: "shipping_costs" }).first().waitFor({ timeout: WAIT_MS });
  step("outline", flat(await list().allInnerTexts()));
  await page.keyboard.press("Escape");

  await go("15:32");
  await page.keyboard.press("Control+KeyK");
  await page.keyboard.press("Control+KeyI");
  await page.locator(".monaco-hover").filter({ hasText: "SignedCookie" }).first().waitFor({ timeout: WAIT_MS });
  step("hover", flat(await page.locator(".monaco-hover").allInnerTexts()).join(" ").slice(0, 400));
  await shot("hover");
  await page.keyboard.press("Escape");

  await page.keyboard.press("F12");
  await page.locator(".tab.active").filter({ hasText: "session.py" }).first().waitFor({ timeout: WAIT_MS });
  await page.waitForFunction(() => document.querySelector(".part.statusbar").innerText.includes("Ln 7,"), null, { timeout: WAIT_MS });
  step("definition", `session.py ${/Ln \d+, Col \d+/.exec(await statusBar())[0]}`);

  await palette("ctx: Search the Repository");
  await page.waitForSelector(".quick-input-widget .quick-input-box input", { state: "visible", timeout: WAIT_MS });
  await page.locator(".quick-input-widget .quick-input-title").filter({ hasText: "Search the Repository" }).waitFor({ timeout: WAIT_MS });
  await page.keyboard.type("what does shipping cost");
  await page.keyboard.press("Enter");
  await list().filter({ hasText: "shipping_costs" }).first().waitFor({ timeout: WAIT_MS });
  step("search", flat(await list().allInnerTexts()));
  await shot("search");
  await page.keyboard.press("Escape");

  await palette("ctx: Show Map of the Repository");
  const mapLine = page.locator(".view-line").filter({ hasText: /7\sclass\sSignedCookie/ }).first();
  await mapLine.waitFor({ timeout: WAIT_MS });
  step("map", flat(await mapLine.allInnerTexts()));
  await shot("map");

  await palette("ctx: Show Telemetry");
  await page.locator(".tab").filter({ hasText: "telemetry" }).first().waitFor({ timeout: WAIT_MS });
  step("telemetry", flat(await page.locator(".tab").allInnerTexts()));

  await palette("ctx: Restart");
  await page.waitForFunction(() => /ctx (READY|fallback|alone|warming|indexing)/.test(document.querySelector(".part.statusbar").innerText), null, { timeout: WAIT_MS });
  step("restart", /ctx [^\n]*/.exec(await statusBar())[0]);

  await page.keyboard.press("Control+KeyK");
  await page.keyboard.press("Control+KeyW");
  await open("shop/session.py");
  await page.waitForSelector(".codelens-decoration a", { timeout: WAIT_MS });
  await go("36:1");
  await page.keyboard.type("\n\ndef wrap_as_present(article):\n");
  await page.keyboard.type("return article");
  await page.locator(".tab.active.dirty").first().waitFor({ timeout: WAIT_MS });
  step("unsaved", flat(await page.locator(".tab.active").allInnerTexts()));
  await shot("unsaved");
  fs.writeFileSync(options.unsaved.gate, "");
  for (const end = Date.now() + WAIT_MS; !fs.existsSync(options.unsaved.done); ) {
    if (Date.now() > end) throw new Error("the caller did not look in time");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }

  // A program that is not there: the extension says so and offers what to do.
  const settings = JSON.parse(fs.readFileSync(options.settings, "utf8"));
  fs.writeFileSync(options.settings, JSON.stringify({ ...settings, "ctx.command": ["ctx-that-is-not-there", "lsp"] }));
  await open("shop/cart.py");
  const toast = page.locator(".notifications-toasts").filter({ hasText: "was not found" }).first();
  await toast.waitFor({ timeout: WAIT_MS });
  step("missing", flat([await toast.innerText()])[0]);
  await page.locator(".notifications-toasts").getByText("How to Install").first().click();
  await page.locator(".tab").filter({ hasText: /readme/i }).first().waitFor({ timeout: WAIT_MS });
  step("how to install", flat(await page.locator(".tab.active").allInnerTexts()));
}

(async () => {
  const browser = await chromium.launch({ executablePath: options.chromium, args: ["--no-sandbox"] });
  try {
    const page = await browser.newPage({ viewport: { width: 1100, height: 680 } });
    try {
      await run(page);
      say({ ok: true, problem: "" });
    } catch (error) {
      await page.screenshot({ path: `${options.shots}/problem.png` }).catch(() => undefined);
      say({ ok: false, problem: String(error).slice(0, 1000) });
      process.exitCode = 1;
    }
  } finally {
    await browser.close();
  }
})();
