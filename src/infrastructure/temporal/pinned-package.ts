import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { hashFile } from "../file-hash.ts";

const run = promisify(execFile);
const abandonedAfterMs = 60 * 60_000;

/** A package of Python's index, fixed to the byte. A wheel has one checksum for each platform. */
export type PinnedPackage = {
  readonly name: string;
  readonly version: string;
  readonly kind: "wheel" | "sdist";
  readonly sha256: readonly string[];
};

/** Where downloads are kept between runs: `$XDG_CACHE_HOME`, else `~/.cache`, also on a Mac. */
export function defaultCacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const home = env["XDG_CACHE_HOME"];
  return join(home ? resolve(home) : join(homedir(), ".cache"), "polars-analysis-service");
}

/**
 * Runs `work` with an empty folder inside the cache, on the same file system, so that its result can be renamed into place.
 * The folder is gone afterwards; what a killed process left is removed an hour later.
 */
export async function withWorkFolder<T>(cacheFolder: string, work: (folder: string) => Promise<T>): Promise<T> {
  await mkdir(cacheFolder, { recursive: true });
  for (const name of await readdir(cacheFolder)) {
    if (!name.startsWith(".work-")) continue;
    const path = join(cacheFolder, name);
    const found = await stat(path).catch(() => undefined);
    if (found && Date.now() - found.mtimeMs > abandonedAfterMs) await rm(path, { recursive: true, force: true });
  }
  const folder = await mkdtemp(join(cacheFolder, ".work-"));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Downloads the package into `folder` with pip, which knows the machine's proxy and index, and returns the file's path.
 * @throws Error with one sentence: no Python, no pip, no network, or other bytes than those pinned
 */
export async function downloadPinned(pinned: PinnedPackage, folder: string, limitMs: number): Promise<string> {
  const requirements = join(folder, "requirements.txt");
  const target = join(folder, pinned.kind);
  const hashes = pinned.sha256.map((sum) => `--hash=sha256:${sum}`).join(" ");
  await writeFile(requirements, `${pinned.name}==${pinned.version} ${hashes}\n`);
  // Not `--no-binary=:all:`: that would build setuptools from source too, only to read an sdist's metadata.
  const form = pinned.kind === "wheel" ? "--only-binary=:all:" : `--no-binary=${pinned.name}`;
  await python(
    [
      "-m",
      "pip",
      "download",
      "--quiet",
      "--no-input",
      "--disable-pip-version-check",
      "--retries=2",
      "--no-deps",
    ].concat(form, "--require-hashes", "--requirement", requirements, "--dest", target),
    folder,
    limitMs,
  );
  const [file, ...others] = await readdir(target);
  if (file === undefined || others.length > 0)
    throw new Error(`pip left ${others.length + (file ? 1 : 0)} files, expected 1`);
  const path = join(target, file);
  const sum = await hashFile(path);
  if (!pinned.sha256.includes(sum)) throw new Error(`${file} has sha256 ${sum}, which is not one of those pinned`);
  return path;
}

/** Runs `python3` in `folder`. @throws Error with the last line that says what went wrong */
export async function python(args: readonly string[], folder: string, limitMs: number): Promise<void> {
  try {
    await run("python3", args, { cwd: folder, timeout: limitMs, killSignal: "SIGKILL" });
  } catch (error) {
    throw new Error(pythonReason(error, limitMs), { cause: error });
  }
}

function pythonReason(error: unknown, limitMs: number): string {
  if (!(error instanceof Error)) return String(error);
  if ("code" in error && error.code === "ENOENT") return "python3 is not installed";
  if ("killed" in error && error.killed === true) return `python3 took more than ${limitMs / 1000} s`;
  const stderr = "stderr" in error && typeof error.stderr === "string" ? error.stderr : "";
  const lines = stderr
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  return lines.findLast((line) => line.startsWith("ERROR:"))?.slice("ERROR: ".length) ?? lines.at(-1) ?? error.message;
}
