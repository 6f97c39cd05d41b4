import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, cp, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { StoreUnavailable } from "../../../src/domain/model/failure.ts";
import { openFileObjectStore } from "../../../src/infrastructure/store/file-object-store.ts";
import { objectStoreContract } from "../../contract/object-store.contract.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const writer = fileURLToPath(new URL("../../support/store-writer.ts", import.meta.url));

objectStoreContract("a folder", async () => openFileObjectStore(await tempFolder()));

describe("the folder as a store", () => {
  it("has one winner for each key among four processes, the first of which makes the folder", async () => {
    const folder = join(await tempFolder(), "a/new/folder");
    const names = ["a", "b", "c", "d"];
    const run = (name: string) => promisify(execFile)(process.execPath, [writer, "race", folder, name]);
    const won = (await Promise.all(names.map(run))).map(({ stdout }) => JSON.parse(stdout) as string[]);
    expect(won.flat().toSorted()).toEqual(Array.from({ length: 25 }, (_, round) => `race/${round}`).toSorted());
    const store = await openFileObjectStore(folder);
    for (const [index, keys] of won.entries()) {
      for (const key of keys) expect((await store.head(key))?.metadata).toEqual({ name: names[index] });
    }
  });

  it("takes the lock of a process that was killed", async () => {
    const folder = await tempFolder();
    const store = await openFileObjectStore(folder);
    const holder = spawn(process.execPath, [writer, "hold", folder], { stdio: ["ignore", "pipe", "inherit"] });
    await once(holder.stdout, "data");
    const putting = store.put("k", { text: "x" }, { metadata: {} });
    const early = await Promise.race([putting, new Promise((resolve) => setTimeout(() => resolve("waits"), 300))]);
    expect(early).toBe("waits");
    holder.kill("SIGKILL");
    expect(await putting).toBe(true);
  });

  it("keeps metadata and etags when the folder is copied without its times", async () => {
    const folder = await tempFolder();
    const store = await openFileObjectStore(folder);
    // The same bytes come and go: only what was put last counts.
    for (let run = 1; run <= 9; run += 1) {
      await store.put("k", { text: run % 2 === 0 ? "y" : "x" }, { metadata: { "run-id": `r${run}` } });
    }
    const copy = join(await tempFolder(), "copy");
    await cp(folder, copy, { recursive: true });
    const seen = await (await openFileObjectStore(copy)).head("k");
    expect(seen?.metadata).toEqual({ "run-id": "r9" });
    expect(seen?.etag).toBe((await store.head("k"))?.etag);
  });

  it("says nothing of a file that it did not write, but its content", async () => {
    const folder = await tempFolder();
    const store = await openFileObjectStore(folder);
    await store.put("k", { text: "ours" }, { metadata: { "run-id": "r" } });
    await writeFile(join(folder, "k"), "theirs");
    expect((await store.head("k"))?.metadata).toEqual({});
    expect(await store.text("k")).toBe("theirs");
  });

  it("leaves no half-written file behind", async () => {
    const folder = await tempFolder();
    const store = await openFileObjectStore(folder);
    await store.put("k", { text: "x" });
    await store.put("k", { text: "y" }, { condition: { ifAbsent: true } });
    expect(await readdir(join(folder, ".store", "pending"))).toEqual([]);
  });

  it("refuses keys that lead out of the folder or into its own files", async () => {
    const store = await openFileObjectStore(await tempFolder());
    for (const key of ["../x", "a/../../x", "/etc/x", ".store", ".store/index.sqlite", "a/../.store/x"]) {
      for (const using of [
        () => store.put(key, { text: "x" }),
        () => store.put(key, { text: "x" }, { condition: { ifAbsent: true } }),
        () => store.text(key),
        () => store.head(key),
        () => store.local(key),
        () => store.delete(key),
      ]) {
        await expect(using()).rejects.toThrow(StoreUnavailable);
        await expect(using()).rejects.toThrow(/leads out of the store/);
      }
    }
    for (const key of [".storefront/x", "a..b", "..."]) expect(await store.put(key, { text: "x" })).toBe(true);
  });

  it("refuses a place that cannot be written, in one sentence", async () => {
    const file = join(await tempFolder(), "file");
    await writeFile(file, "");
    const places = ["/dev/null/store", join(file, "store"), file];
    if (process.platform === "linux") places.push("/proc/store");
    for (const place of places) {
      await expect(openFileObjectStore(place)).rejects.toThrow(
        /^the store .* must be a folder that can be written: .+$/,
      );
    }
  });

  it("refuses a folder that its user may not write to, or not any more", async () => {
    const parent = await tempFolder();
    await chmod(parent, 0o755);
    const locked = join(parent, "locked");
    await mkdir(locked, { mode: 0o755 });
    const store = await openFileObjectStore(join(parent, "store"));
    await store.put("k", { text: "x" });
    await asOrdinaryUser(locked, async () => {
      await expect(openFileObjectStore(join(locked, "store"))).rejects.toThrow(
        new StoreUnavailable(`the store ${locked}/store must be a folder that can be written: permission denied`),
      );
    });
    await asOrdinaryUser(join(parent, "store", ".store", "pending"), async () => {
      await expect(store.put("k", { text: "y" })).rejects.toThrow(
        /must be a folder that can be written: permission denied/,
      );
    });
    expect(await store.text("k")).toBe("x");
  });
});

/** Runs the work as someone who may read the folder and not write; the superuser may write everywhere. */
async function asOrdinaryUser(folder: string, work: () => Promise<void>): Promise<void> {
  await chmod(folder, 0o555);
  const isRoot = process.geteuid?.() === 0;
  try {
    if (isRoot) process.seteuid?.(65_534);
    await work();
  } finally {
    if (isRoot) process.seteuid?.(0);
    await chmod(folder, 0o755);
  }
}
