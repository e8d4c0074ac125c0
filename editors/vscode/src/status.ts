/** What the status bar says: the server's own word for its state, who answers, and the tokens handed on so far. */

export const STATES = ["indexing", "warming", "ready", "fallback", "alone", "starting", "stopped", "missing"] as const;
export type State = (typeof STATES)[number];

/** The parameters of the notification `ctx/status`; the last three states are the extension's own. */
export interface Status {
  readonly state: State;
  readonly server: string;
  readonly detail: string;
  readonly tokens: number;
}

export interface StatusBar {
  readonly text: string;
  readonly tooltip: string;
  readonly isWarning: boolean;
}

const WORDS: Readonly<Record<State, string>> = {
  indexing: "$(sync~spin) ctx indexing",
  warming: "$(sync~spin) ctx warming",
  ready: "$(check) ctx READY",
  fallback: "$(circle-slash) ctx fallback",
  alone: "$(circle-outline) ctx alone",
  starting: "$(sync~spin) ctx",
  stopped: "$(error) ctx stopped",
  missing: "$(error) ctx not found",
};

const MEANINGS: Readonly<Record<State, string>> = {
  indexing: "The index is being brought up to date.",
  warming: "The language server is starting; Tree-sitter answers meanwhile.",
  ready: "The language server answers.",
  fallback: "Tree-sitter answers in the language server's place.",
  alone: "There is no warm host: this server works by itself.",
  starting: "The server is starting.",
  stopped: "The server has ended; \"ctx: Restart\" starts it anew.",
  missing: "The program is not installed, or not where this editor looks.",
};

/** Read a notification; whatever a newer server says beyond what is known here is passed over. */
export function statusFrom(value: unknown): Status | undefined {
  if (typeof value !== "object" || value === null) {
    return undefined;
  }
  const { state, server, detail, tokens } = value as Record<string, unknown>;
  const known = STATES.find((one) => one === state);
  if (known === undefined) {
    return undefined;
  }
  return {
    state: known,
    server: typeof server === "string" ? server : "",
    detail: typeof detail === "string" ? detail : "",
    tokens: typeof tokens === "number" ? tokens : 0,
  };
}

/** 950 -> "950", 1234 -> "1.2k", 3400000 -> "3.4M". */
export function shortCount(count: number): string {
  const scale: readonly (readonly [number, string])[] = [
    [1_000_000, "M"],
    [1_000, "k"],
  ];
  for (const [unit, suffix] of scale) {
    if (count >= unit) {
      return `${(Math.floor((count * 10) / unit) / 10).toFixed(1)}${suffix}`;
    }
  }
  return String(count);
}

export function statusBar(status: Status): StatusBar {
  const words = [WORDS[status.state]];
  if (status.server !== "" && status.state !== "fallback") {
    words.push(status.server);
  }
  if (status.tokens > 0) {
    words.push(`${shortCount(status.tokens)}t`);
  }
  const lines = [MEANINGS[status.state]];
  if (status.detail !== "") {
    lines.push(status.detail);
  }
  lines.push(`${status.tokens} tokens handed on`);
  return {
    text: words.join(" "),
    tooltip: lines.join("\n"),
    isWarning: status.state === "stopped" || status.state === "missing",
  };
}
