/** Where things are: the segment of a folder, a path in it, a program on PATH. */

import * as path from "node:path";

/** Return the nearest folder upwards that has `_ctx` or `.git`, else the folder itself: ctx's own rule. */
export function segmentOf(folder: string, exists: (path: string) => boolean): string {
  for (let at = folder; ; at = path.dirname(at)) {
    if (exists(path.join(at, "_ctx")) || exists(path.join(at, ".git"))) {
      return at;
    }
    if (path.dirname(at) === at) {
      return folder;
    }
  }
}

/** Return a file's path as ctx spells it: relative to the segment, with slashes. */
export function pathInSegment(segment: string, file: string): string {
  return path.relative(segment, file).split(path.sep).join("/");
}

/** Return the program that a name means, or undefined; a name with a slash means itself. */
export function programOf(
  name: string,
  searchPath: string,
  home: string,
  isProgram: (path: string) => boolean,
): string | undefined {
  const spelled = name.startsWith("~/") ? path.join(home, name.slice(2)) : name;
  if (spelled.includes("/")) {
    return isProgram(spelled) ? spelled : undefined;
  }
  // A relative folder of PATH would mean another program in every workspace.
  const folders = searchPath.split(path.delimiter).filter((folder) => path.isAbsolute(folder));
  return folders.map((folder) => path.join(folder, spelled)).find(isProgram);
}
