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
  it("has one winner for each key among four processes", async () => {
    const folder = await tempFolder();
    await openFileObjectStore(folder);
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
    await store.put("k", { text: "x" }, { metadata: { "run-id": "r" } });
    const copy = join(await tempFolder(), "copy");
    await cp(folder, copy, { recursive: true });
    const seen = await (await openFileObjectStore(copy)).head("k");
    expect(seen?.metadata).toEqual({ "run-id": "r" });
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
    for (const key of ["../x", "a/../../x", "/etc/x", ".store/index.sqlite"]) {
      await expect(store.put(key, { text: "x" })).rejects.toThrow(StoreUnavailable);
      await expect(store.text(key)).rejects.toThrow(StoreUnavailable);
    }
  });

  it("refuses a place that cannot be written, in one sentence", async () => {
    const file = join(await tempFolder(), "file");
    await writeFile(file, "");
    const places = ["/dev/null/store", join(file, "store"), file];
    if (process.platform === "linux") places.push("/proc/store");
    if (process.getuid?.() !== 0) {
      const locked = join(await tempFolder(), "locked");
      await mkdir(locked);
      await chmod(locked, 0o500);
      places.push(join(locked, "store"));
    }
    for (const place of places) {
      await expect(openFileObjectStore(place)).rejects.toThrow(
        /^the store .* must be a folder that can be written: .+$/,
      );
    }
  });
});
