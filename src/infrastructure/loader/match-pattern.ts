import { matchesGlob } from "node:path";

/** Whether a part of a path stands for more than itself. */
export function isPattern(part: string): boolean {
  return /[*?[]/.test(part);
}

/** Whether a pattern without `/` names a file or folder; a name that starts with a dot only if it does so, too. */
export function matchesName(name: string, pattern: string): boolean {
  return matchesGlob(name, pattern.replaceAll(/[{}()]/g, "[$&]"));
}

/** Whether a pattern names a path by the rules of `matchFiles`. Both are given by their parts. */
export function matchesPath([name, ...names]: readonly string[], [pattern, ...patterns]: readonly string[]): boolean {
  if (name === undefined || pattern === undefined) return name === pattern;
  if (pattern === "**" && patterns.length > 0) {
    const deeper = names.length > 0 && !name.startsWith(".") && matchesPath(names, [pattern, ...patterns]);
    return deeper || matchesPath([name, ...names], patterns);
  }
  return (isPattern(pattern) ? matchesName(name, pattern) : name === pattern) && matchesPath(names, patterns);
}
