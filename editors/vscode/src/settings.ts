/** What the settings mean for the server: its command line and, for every feature, whether it is to offer it. */

export const FEATURES = ["documentSymbol", "hover", "definition", "references", "workspaceSymbol", "codeLens"] as const;
export type Feature = (typeof FEATURES)[number];

export type Read = (name: string) => unknown;

export function initializationOptions(read: Read): Record<Feature, boolean> {
  const options = FEATURES.map((feature) => [feature, read(`features.${feature}`) !== false]);
  return Object.fromEntries(options) as Record<Feature, boolean>;
}

/** Return program and arguments; a setting that is no list of words means the usual ones. */
export function commandLine(read: Read): readonly [string, ...string[]] {
  const given = read("command");
  if (Array.isArray(given) && given.every((word) => typeof word === "string")) {
    const [program, ...rest] = given;
    if (program !== undefined && program !== "") {
      return [program, ...rest];
    }
  }
  return ["ctx", "lsp"];
}

export function searchLimit(read: Read): number {
  const given = read("search.limit");
  return typeof given === "number" && Number.isInteger(given) && given > 0 ? given : 20;
}
