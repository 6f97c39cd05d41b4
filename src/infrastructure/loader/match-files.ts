import type { Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { errorCode } from "../error-code.ts";
import { isPattern, matchesName } from "./match-pattern.ts";

/**
 * The regular files that an absolute pattern names, sorted by path. Links are followed, but not by `**`, which stands for
 * any depth of folders; names that start with a dot are matched by patterns that start with one.
 *
 * A folder that cannot be read is an error of the file system: ready-made globs skip it, which would lose rows.
 */
export async function matchFiles(pattern: string): Promise<readonly string[]> {
  const [root = "", ...segments] = pattern.split(sep);
  const found = new Set<string>();
  for (const path of await walk(root + sep, segments)) {
    if (await isRegularFile(path)) found.add(path);
  }
  return [...found].toSorted();
}

async function walk(folder: string, segments: readonly string[]): Promise<readonly string[]> {
  const [segment, ...rest] = segments;
  if (segment === undefined) return [folder];
  if (!isPattern(segment)) return walk(join(folder, segment), rest);
  const entries = await entriesOf(folder);
  const paths: (readonly string[])[] = [];
  if (segment === "**" && rest.length > 0) {
    paths.push(await walk(folder, rest));
    const folders = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith("."));
    for (const { name } of folders) paths.push(await walk(join(folder, name), segments));
  } else {
    for (const { name } of entries) if (matchesName(name, segment)) paths.push(await walk(join(folder, name), rest));
  }
  return paths.flat();
}

async function entriesOf(folder: string): Promise<readonly Dirent[]> {
  return (await unlessAbsent(readdir(folder, { withFileTypes: true }))) ?? [];
}

async function isRegularFile(path: string): Promise<boolean> {
  return (await unlessAbsent(stat(path)))?.isFile() ?? false;
}

async function unlessAbsent<T>(look: Promise<T>): Promise<T | undefined> {
  try {
    return await look;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/** Whether the file system says that nothing lies at the path. */
export function isAbsent(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG"].includes(errorCode(error) ?? "");
}
