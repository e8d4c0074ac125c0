/** The documents that the server's commands answer with, those of `ctx <command> --json`, and how they look here. */

export interface Hit {
  readonly path: string;
  readonly start_line: number;
  readonly end_line: number;
  readonly qualname: string;
  readonly tokens: number;
  readonly signature: string;
}

export interface SearchDocument {
  readonly query: string;
  readonly hits: readonly Hit[];
  readonly total_tokens: number;
  readonly reason?: string;
}

export interface Item {
  readonly path: string;
  readonly start_line: number;
  readonly end_line: number;
  readonly mode: string;
  readonly text: string;
  readonly tokens: number;
}

export interface GetDocument {
  readonly items: readonly Item[];
  readonly total_tokens: number;
  readonly budget: number;
  readonly truncated: boolean;
}

export interface MapDocument {
  readonly text: string;
  readonly total_tokens: number;
}

export interface Use {
  readonly path: string;
  /** Counted from 1, as the column, in characters. */
  readonly line: number;
  readonly column: number;
}

export interface RefsDocument {
  readonly references: readonly Use[];
  readonly reason?: string;
}

/** One line of the list that a search offers. */
export interface Choice {
  readonly label: string;
  readonly description: string;
  readonly detail: string;
  readonly path: string;
  readonly line: number;
}

export const MODES = ["skeleton", "excerpt", "raw"] as const;
export type Mode = (typeof MODES)[number];

export function choices(found: SearchDocument): Choice[] {
  return found.hits.map((hit) => ({
    label: hit.qualname,
    description: `${hit.path}:${hit.start_line}  ${hit.tokens}t`,
    detail: hit.signature.replace(/\s+/g, " ").trim(),
    path: hit.path,
    line: hit.start_line,
  }));
}

export function whyNothing(found: { readonly reason?: string }): string {
  return found.reason !== undefined && found.reason !== "" ? found.reason : "nothing was found";
}

export function gottenText(got: GetDocument): string {
  const parts = got.items.map(
    (item) => `== ${item.path}:${item.start_line}-${item.end_line} ${item.mode} ${item.tokens}t\n${item.text}`,
  );
  if (got.truncated) {
    parts.push(`(cut at ${got.budget} tokens)\n`);
  }
  return parts.join("\n");
}

/** Any document as lines of `name: value`, nested ones indented; empty ones and null left out. */
export function outline(value: unknown, indent = ""): string {
  if (typeof value !== "object" || value === null) {
    return "";
  }
  return Object.entries(value as Record<string, unknown>)
    .map(([name, inner]) => {
      if (inner === null || inner === undefined) {
        return "";
      }
      if (typeof inner === "object") {
        const below = outline(inner, `${indent}  `);
        return below === "" ? "" : `${indent}${name}\n${below}`;
      }
      return `${indent}${name}: ${JSON.stringify(inner)}\n`;
    })
    .join("");
}
