/** The face: starts `ctx lsp`, shows its state, and offers its commands. What is pure is in the other modules. */

import { accessSync, constants, existsSync, statSync } from "node:fs";
import { homedir } from "node:os";
import * as path from "node:path";
import * as vscode from "vscode";
import { LanguageClient, State as ClientState, type LanguageClientOptions } from "vscode-languageclient/node";

import {
  MODES,
  choices,
  gottenText,
  outline,
  whyNothing,
  type GetDocument,
  type MapDocument,
  type Mode,
  type RefsDocument,
  type SearchDocument,
} from "./documents";
import { pathInSegment, programOf, segmentOf } from "./places";
import { commandLine, initializationOptions, searchLimit, type Read } from "./settings";
import { statusBar, statusFrom, type State, type Status } from "./status";

const LANGUAGES = [
  "python",
  "javascript",
  "javascriptreact",
  "typescript",
  "typescriptreact",
  "go",
  "rust",
  "java",
  "c",
  "cpp",
  "ruby",
  "php",
  "csharp",
  "shellscript",
  "markdown",
];
const SCHEME = "ctx";

/** What the server writes into a code lens: where it stands. */
interface LensArgument {
  readonly uri: string;
  readonly position: { readonly line: number; readonly character: number };
}

let face: Face | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  face = new Face(context);
  await face.start();
}

export async function deactivate(): Promise<void> {
  await face?.stop();
}

/** Everything that lives as long as the extension is active. */
class Face {
  private client: LanguageClient | undefined;
  private status: Status = { state: "starting", server: "", detail: "", tokens: 0 };
  private readonly output: vscode.OutputChannel;
  private readonly item: vscode.StatusBarItem;
  private readonly texts = new Map<string, string>();
  private readonly textChanged = new vscode.EventEmitter<vscode.Uri>();

  constructor(private readonly context: vscode.ExtensionContext) {
    this.output = vscode.window.createOutputChannel("ctx");
    this.item = vscode.window.createStatusBarItem("ctx.state", vscode.StatusBarAlignment.Left, 0);
    this.item.name = "ctx";
    this.item.command = "ctx.ui.menu";
    this.show("starting");
    this.item.show();
    const provider = {
      onDidChange: this.textChanged.event,
      provideTextDocumentContent: (uri: vscode.Uri): string => this.texts.get(uri.path) ?? "",
    };
    const commands: Readonly<Record<string, (...given: never[]) => unknown>> = {
      "ctx.ui.search": () => this.search(),
      "ctx.ui.get": (mode?: Mode) => this.get(mode),
      "ctx.ui.map": () => this.map(),
      "ctx.ui.telemetry": () => this.telemetry(),
      "ctx.ui.restart": () => this.restart(),
      "ctx.ui.output": () => {
        this.output.show(true);
      },
      "ctx.ui.menu": () => this.menu(),
    };
    context.subscriptions.push(
      this.output,
      this.item,
      this.textChanged,
      vscode.workspace.registerTextDocumentContentProvider(SCHEME, provider),
      vscode.workspace.onDidChangeConfiguration((event) => this.onSettings(event)),
      ...Object.entries(commands).map(([name, run]) =>
        vscode.commands.registerCommand(name, (...given) => this.reporting(run)(...(given as never[]))),
      ),
    );
  }

  /** Start the server; when its program is not there, say so and offer what to do. */
  async start(): Promise<void> {
    const [program, ...args] = commandLine(read);
    const command = programOf(program, process.env.PATH ?? "", homedir(), isProgram);
    if (command === undefined) {
      this.show("missing", `${program} was looked for on PATH`);
      this.output.appendLine(`${program} was not found; PATH is ${process.env.PATH ?? ""}`);
      void this.offerInstallation(program);
      return;
    }
    this.show("starting");
    const client = new LanguageClient("ctx", "ctx", { command, args }, this.clientOptions());
    this.client = client;
    client.onNotification("ctx/status", (value: unknown) => {
      const status = statusFrom(value);
      if (status !== undefined) {
        this.status = status;
        this.draw();
      }
    });
    client.onDidChangeState((change) => {
      // A client that was replaced ends later than its successor starts.
      if (change.newState === ClientState.Stopped && this.client === client) {
        this.show("stopped");
      }
    });
    try {
      await client.start();
    } catch (error) {
      this.show("stopped", String(error));
      this.output.appendLine(`the server did not start: ${String(error)}`);
      void vscode.window.showErrorMessage("ctx did not start; the output says why.", "Output").then((chosen) => {
        if (chosen !== undefined) {
          this.output.show(true);
        }
      });
    }
  }

  async stop(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    await client?.dispose();
  }

  private clientOptions(): LanguageClientOptions {
    return {
      documentSelector: LANGUAGES.map((language) => ({ scheme: "file", language })),
      initializationOptions: initializationOptions(read),
      outputChannel: this.output,
      middleware: {
        // A code lens names one of the server's commands: its answer is shown as that of the palette's.
        executeCommand: async (command, given: unknown[], next) => {
          const document: unknown = await next(command, given);
          if (command === "ctx.refs") {
            await this.showUses(document as RefsDocument, given[0] as LensArgument);
          } else {
            await this.showDocument(command, document);
          }
          return document;
        },
      },
    };
  }

  private show(state: State, detail = ""): void {
    this.status = { state, server: "", detail, tokens: this.status.tokens };
    this.draw();
  }

  private draw(): void {
    const { text, tooltip, isWarning } = statusBar(this.status);
    this.item.text = text;
    this.item.tooltip = tooltip;
    this.item.backgroundColor = isWarning ? new vscode.ThemeColor("statusBarItem.warningBackground") : undefined;
  }

  private async offerInstallation(program: string): Promise<void> {
    const chosen = await vscode.window.showErrorMessage(
      `"${program}" was not found. Install it, or say in the settings where it is.`,
      "How to Install",
      "Settings",
    );
    if (chosen === "How to Install") {
      // The packager writes its name in small letters.
      const names = ["readme.md", "README.md"];
      const name = names.find((one) => existsSync(path.join(this.context.extensionPath, one))) ?? "README.md";
      const readme = vscode.Uri.joinPath(this.context.extensionUri, name);
      await vscode.commands.executeCommand("markdown.showPreview", readme);
    } else if (chosen === "Settings") {
      await vscode.commands.executeCommand("workbench.action.openSettings", "ctx.command");
    }
  }

  private async onSettings(event: vscode.ConfigurationChangeEvent): Promise<void> {
    if (event.affectsConfiguration("ctx.command") || event.affectsConfiguration("ctx.features")) {
      await this.startAnew();
    }
  }

  private async startAnew(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Have the server run one of its commands. */
  private async execute<Document>(command: string, argument: object): Promise<Document> {
    if (this.client?.state !== ClientState.Running) {
      throw new Error("the server does not run; \"ctx: Restart\" starts it anew");
    }
    // Of several folders the server is told which one is meant; with one there is nothing to choose.
    const isChoice = (vscode.workspace.workspaceFolders?.length ?? 0) > 1;
    const given = isChoice ? { ...argument, root: segmentHere() } : argument;
    return this.client.sendRequest<Document>("workspace/executeCommand", { command, arguments: [given] });
  }

  /** Wrap a command so that its failure is one line to read, not a stack of calls. */
  private reporting(run: (...given: never[]) => unknown): (...given: never[]) => Promise<void> {
    return async (...given) => {
      try {
        await run(...given);
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        this.output.appendLine(message);
        void vscode.window.showWarningMessage(`ctx: ${message}`);
      }
    };
  }

  private async search(): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    const selected = editor?.document.getText(editor.selection) ?? "";
    const query = await vscode.window.showInputBox({
      title: "ctx: Search the Repository",
      prompt: "A name, an error message, or a question",
      value: selected,
    });
    if (query === undefined || query.trim() === "") {
      return;
    }
    const argument = { query, limit: searchLimit(read) };
    await this.showHits(await this.execute<SearchDocument>("ctx.search", argument));
  }

  private async get(mode?: Mode): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    if (editor?.document.uri.scheme !== "file") {
      throw new Error("there is no file at the cursor");
    }
    const { uri } = editor.document;
    const place = `${pathInSegment(segmentOfFile(uri), uri.fsPath)}:${editor.selection.active.line + 1}`;
    const chosen = MODES.find((one) => one === mode) ?? (await vscode.window.showQuickPick(MODES, { title: place }));
    if (chosen !== undefined) {
      const argument = { targets: [place], mode: chosen };
      await this.showDocument("ctx.get", await this.execute("ctx.get", argument));
    }
  }

  private async map(): Promise<void> {
    await this.showDocument("ctx.map", await this.execute("ctx.map", {}));
  }

  private async telemetry(): Promise<void> {
    await this.showDocument("ctx.telemetry", await this.execute("ctx.telemetry", {}));
  }

  /** Have the server start what is behind it anew; a server that is gone is started. */
  private async restart(): Promise<void> {
    if (this.client?.state === ClientState.Running) {
      await this.execute("ctx.restart", {});
    } else {
      await this.startAnew();
    }
  }

  private async menu(): Promise<void> {
    const commands = ["search", "get", "map", "telemetry", "restart", "output"];
    const labels = ["Search the Repository", "Show Context of the Cursor", "Show Map of the Repository"];
    labels.push("Show Telemetry", "Restart", "Show Output");
    const chosen = await vscode.window.showQuickPick(labels, { title: statusBar(this.status).tooltip.split("\n")[0] ?? "" });
    if (chosen !== undefined) {
      await vscode.commands.executeCommand(`ctx.ui.${commands[labels.indexOf(chosen)] ?? "output"}`);
    }
  }

  private async showDocument(command: string, document: unknown): Promise<void> {
    switch (command) {
      case "ctx.search":
        return this.showHits(document as SearchDocument);
      case "ctx.get": {
        const got = document as GetDocument;
        return this.showText("context", gottenText(got), got.items[0]?.path ?? "");
      }
      case "ctx.map":
        return this.showText("map", (document as MapDocument).text, "");
      case "ctx.telemetry":
        return this.showText("telemetry", outline(document), "telemetry.yaml");
    }
  }

  private async showHits(found: SearchDocument): Promise<void> {
    if (found.hits.length === 0) {
      throw new Error(whyNothing(found));
    }
    const title = `${found.query}: ${found.hits.length} places, ${found.total_tokens} tokens`;
    const chosen = await vscode.window.showQuickPick(choices(found), { title, matchOnDescription: true, matchOnDetail: true });
    if (chosen !== undefined) {
      const place = new vscode.Position(chosen.line - 1, 0);
      const file = vscode.Uri.file(path.join(segmentHere(), chosen.path));
      await vscode.window.showTextDocument(file, { selection: new vscode.Range(place, place) });
    }
  }

  /** Show the uses behind a code lens as the editor shows references, at the lens. */
  private async showUses(found: RefsDocument, lens: LensArgument): Promise<void> {
    const uri = vscode.Uri.parse(lens.uri);
    const segment = segmentOfFile(uri);
    const places = found.references.map(
      (use) => new vscode.Location(vscode.Uri.file(path.join(segment, use.path)), new vscode.Position(use.line - 1, use.column - 1)),
    );
    const at = new vscode.Position(lens.position.line, lens.position.character);
    await vscode.commands.executeCommand("editor.action.showReferences", uri, at, places);
  }

  /** Show a text beside the file it is about, with the colours of the language of `like`. */
  private async showText(name: string, text: string, like: string): Promise<void> {
    const uri = vscode.Uri.from({ scheme: SCHEME, path: `/${name}${path.extname(like)}` });
    this.texts.set(uri.path, text);
    this.textChanged.fire(uri);
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.window.showTextDocument(document, { viewColumn: vscode.ViewColumn.Beside, preview: true, preserveFocus: true });
  }
}

/** Return the segment that answers about a file are relative to: that of its folder of the workspace, else its own. */
function segmentOfFile(uri: vscode.Uri): string {
  return segmentOf(vscode.workspace.getWorkspaceFolder(uri)?.uri.fsPath ?? path.dirname(uri.fsPath), existsSync);
}

/** Return the segment of the file shown, else that of the first folder. */
function segmentHere(): string {
  const shown = vscode.window.activeTextEditor?.document.uri;
  if (shown?.scheme === "file") {
    return segmentOfFile(shown);
  }
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath;
  return folder === undefined ? "" : segmentOf(folder, existsSync);
}

const read: Read = (name) => vscode.workspace.getConfiguration("ctx").get(name);

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
