import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, realpath, rename, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { InputChanged, InputInvalid, InputMissing, SourceUnavailable } from "../../../src/domain/model/failure.ts";
import { createFileDatasetLoader } from "../../../src/infrastructure/loader/file-dataset-loader.ts";
import { datasetLoaderContract, requestFor, sha256Of } from "../../contract/dataset-loader.contract.ts";

const loader = createFileDatasetLoader();
let folder: string;

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "loader ü%[1]-")));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function put(name: string, content = name): Promise<string> {
  const path = join(folder, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
  return path;
}

datasetLoaderContract("the file loader", async () => ({
  loader,
  uri: (name) => `${pathToFileURL(folder).href}/${name}`,
  put: async (name, content) => {
    await put(name, content);
  },
  remove: (name) => rm(join(folder, name)),
  pinnedBytes: (pin) => readFile(fileURLToPath(pin.location)),
  async [Symbol.asyncDispose]() {},
}));

const load = (uri: string | readonly string[], glob = false) => loader.load(requestFor({ uri, glob }, folder), []);
const failureOf = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => error);

describe("the file loader with patterns", () => {
  const names = async (uri: string | readonly string[]) =>
    (await load(uri, true)).map((pin) => fileURLToPath(pin.uri).slice(folder.length + 1));

  it("takes the matching regular files in the order of their paths", async () => {
    for (const name of ["2024-02-29/b.csv", "2024-02-29/a.csv", "2024-02-29/.part.csv", "2024-02-29/c.txt"])
      await put(name);
    await mkdir(join(folder, "2024-02-29/folder.csv"));
    execFileSync("mkfifo", [join(folder, "2024-02-29/pipe.csv")]);
    expect(await names("file:./{date}/*.csv")).toEqual(["2024-02-29/a.csv", "2024-02-29/b.csv"]);
  });

  it("knows *, ?, sets and **, and takes braces and parentheses for themselves", async () => {
    for (const name of ["a1/x(1).csv", "a2/x(2).csv", "b1/x{1}.csv", "a1/deep/er/x(1).csv"]) await put(name);
    expect(await names("file:./a?/x*.csv")).toEqual(["a1/x(1).csv", "a2/x(2).csv"]);
    expect(await names("file:./[!a]1/*.csv")).toEqual(["b1/x{1}.csv"]);
    expect(await names("file:./**/x(1)*")).toEqual(["a1/deep/er/x(1).csv", "a1/x(1).csv"]);
    expect(await names("file:./*/x%7B1%7D*")).toEqual(["b1/x{1}.csv"]);
  });

  it("takes *, ? and [ for themselves when the definition does not say glob", async () => {
    for (const name of ["a*[1]?.csv", "ab1c.csv"]) await put(name);
    expect((await load("file:./a*[1]?.csv")).map((pin) => pin.sha256)).toEqual([sha256Of("a*[1]?.csv")]);
  });

  it("counts a file once that several patterns or links lead to", async () => {
    await put("a.csv");
    await symlink("a.csv", join(folder, "latest.csv"));
    expect(await names(["file:./a.*", "file:./*.csv"])).toEqual(["a.csv"]);
  });

  it("says that nothing matches", async () => {
    await put("a.csv");
    for (const uri of ["file:./*.json", "file:./absent/*.csv", "file:./a.csv/*"]) {
      const failure = await failureOf(load(uri, true));
      expect(failure).toBeInstanceOf(InputMissing);
      expect(failure).toMatchObject({ message: expect.stringMatching(/^rates 2024-02-29: .*no file matches$/) });
    }
  });

  it("holds a pattern with a sha256 to one file", async () => {
    await put("a.csv");
    const source = { uri: "file:./*.csv", glob: true, sha256: sha256Of("a.csv") };
    await expect(loader.load(requestFor(source, folder), [])).resolves.toHaveLength(1);
    await put("b.csv");
    await expect(loader.load(requestFor(source, folder), [])).rejects.toThrow(InputInvalid);
  });

  it("does not leave out a folder that it may not read", async () => {
    await put("open/a.csv");
    await put("shut/b.csv");
    const failure = await withoutRight(join(folder, "shut"), () => failureOf(load("file:./*/*.csv", true)));
    expect(failure).toBeInstanceOf(SourceUnavailable);
  });
});

describe("the file loader", () => {
  it("reads in place: the location is the real path, compressed files are hashed as they lie", async () => {
    const path = await put("real.csv.gz", "\x1f\x8b...");
    await symlink("real.csv.gz", join(folder, "link.csv.gz"));
    expect(await load("file:./link.csv.gz")).toMatchObject([
      {
        uri: pathToFileURL(join(folder, "link.csv.gz")).href,
        location: pathToFileURL(path).href,
        sha256: sha256Of(await readFile(path)),
      },
    ]);
  });

  it.each([
    ["a folder", "sub", /sub: a file was expected, it is a folder$/],
    ["a named pipe", "pipe", /pipe: a file was expected, it is no regular file$/],
    ["a path below a file", "a.csv/b.csv", /does not exist$/],
    ["a link to nothing", "dangling", /does not exist$/],
    ["a link to itself", "loop", /does not exist$/],
    ["a name that is too long", "x".repeat(300), /does not exist$/],
  ])("takes %s for a missing input", async (_, name, message) => {
    await put("a.csv");
    await mkdir(join(folder, "sub"));
    execFileSync("mkfifo", [join(folder, "pipe")]);
    await symlink("nothing", join(folder, "dangling"));
    await symlink("loop", join(folder, "loop"));
    const failure = await failureOf(load(`file:./${name}`));
    expect(failure).toBeInstanceOf(InputMissing);
    expect(failure).toMatchObject({ message: expect.stringMatching(message) });
  });

  it("says that a file that may not be read is unavailable", async () => {
    await put("shut/a.csv");
    const failure = await withoutRight(join(folder, "shut"), () => failureOf(load("file:./shut/a.csv")));
    expect(failure).toBeInstanceOf(SourceUnavailable);
    expect(String(failure)).toContain("EACCES");
  });

  it("hashes when it looks and tells the time to the nanosecond", async () => {
    const path = await put("a.csv", "a");
    execFileSync("touch", ["-d", "2024-02-29T01:02:03.000456789Z", path]);
    const inspected = await loader.inspect(requestFor({ uri: "file:./a.csv" }, folder), []);
    expect(inspected).toMatchObject([
      { sizeBytes: 1, sha256: sha256Of("a"), modifiedAt: "2024-02-29T01:02:03.000456789Z" },
    ]);
  });

  it("takes the hash of the look while size and time are the same, and hashes again when one is not", async () => {
    const path = await put("a.csv", "old");
    const request = requestFor({ uri: "file:./a.csv" }, folder);
    const inspected = (await loader.inspect(request, [])).map((file) => ({ ...file, sha256: "0".repeat(64) }));
    expect(await loader.load(request, inspected)).toMatchObject([{ sha256: "0".repeat(64) }]);
    const { atime, mtime } = await stat(path);
    await utimes(path, atime, new Date(mtime.getTime() + 1));
    expect(await loader.load(request, inspected)).toMatchObject([{ sha256: sha256Of("old") }]);
  });

  it.each<[string, (path: string) => Promise<void>]>([
    ["rewritten with the same length", (path) => writeFile(path, "new")],
    ["replaced", async (path) => rename(await put("b.csv", "new"), path)],
    ["grown", (path) => writeFile(path, " ", { flag: "a" })],
    ["emptied", (path) => writeFile(path, "")],
    ["removed", (path) => rm(path)],
  ])("sees on verify that a file was %s, even if its time was set back", async (_, change) => {
    const path = await put("a.csv", "old");
    const pins = await load("file:./a.csv");
    const { atime, mtime } = await stat(path);
    await change(path);
    await utimes(path, atime, mtime).catch(() => {});
    await expect(loader.verify(pins)).rejects.toThrow(InputChanged);
  });

  it("accepts on verify a file that was written again with the same bytes", async () => {
    const path = await put("a.csv", "same");
    const pins = await load("file:./a.csv");
    await writeFile(path, "same");
    await expect(loader.verify(pins)).resolves.toBeUndefined();
  });

  it.each(["a", "r+"])("refuses a file that is written to (%s) while it is hashed", async (flag) => {
    const path = await put("a.csv", "x".repeat(8 * 1024 * 1024));
    let ended = false;
    const look = failureOf(load("file:./a.csv")).finally(() => {
      ended = true;
    });
    while (!ended) await writeFile(path, "y", { flag });
    expect(await look).toBeInstanceOf(InputChanged);
  });

  it("stops within a file when the signal says so", async () => {
    await put("a.csv", "x".repeat(64 * 1024 * 1024));
    const stop = new AbortController();
    const reason = new Error("cancelled");
    const look = failureOf(loader.load(requestFor({ uri: "file:./a.csv" }, folder), [], stop.signal));
    await pause(1);
    const started = performance.now();
    stop.abort(reason);
    expect(await look).toBe(reason);
    expect(performance.now() - started).toBeLessThan(200);
  });
});

/** Runs the work as someone who may not enter the folder; the superuser may enter every one. */
async function withoutRight<T>(path: string, work: () => Promise<T>): Promise<T> {
  execFileSync("chmod", ["755", folder]);
  execFileSync("chmod", ["000", path]);
  const user = process.geteuid?.();
  try {
    if (user === 0) process.seteuid?.(65534);
    return await work();
  } finally {
    if (user === 0) process.seteuid?.(0);
    execFileSync("chmod", ["755", path]);
  }
}
