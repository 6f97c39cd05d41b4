import { createHash, randomUUID } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StoreUnavailable } from "../../src/domain/model/failure.ts";
import type { ObjectBody, ObjectInfo, ObjectStore } from "../../src/infrastructure/store/object-store.ts";

type Held = Omit<ObjectInfo, "key" | "sizeBytes"> & { readonly bytes: Buffer };

/** An object store whose operations take effect at once. Its etag is of the content alone, as on S3. */
export function createMemoryObjectStore(now: () => Date = () => new Date()): ObjectStore {
  const objects = new Map<string, Held>();

  return {
    url: "memory:",

    async head(key) {
      const held = objects.get(key);
      if (held === undefined) return undefined;
      const { bytes, etag, modifiedAt, metadata } = held;
      return { key, sizeBytes: bytes.length, etag, modifiedAt, metadata };
    },

    text: async (key) => objects.get(key)?.bytes.toString(),

    async put(key, body, { condition, metadata = {} } = {}) {
      const bytes = bytesOf(body);
      const current = objects.get(key);
      if (condition !== undefined && "ifAbsent" in condition && current !== undefined) return false;
      if (condition !== undefined && "ifMatch" in condition && current?.etag !== condition.ifMatch) return false;
      objects.set(key, { bytes, etag: digest("md5", bytes), modifiedAt: now(), metadata });
      return true;
    },

    async delete(key) {
      objects.delete(key);
    },

    async *list(prefix) {
      for (const key of [...objects.keys()].filter((each) => each.startsWith(prefix)).toSorted()) {
        const held = objects.get(key);
        if (held !== undefined) yield { key, sizeBytes: held.bytes.length, modifiedAt: held.modifiedAt };
      }
    },

    async local(key) {
      const held = objects.get(key);
      if (held === undefined) return undefined;
      const path = join(tmpdir(), `memory-object-${randomUUID()}`);
      writeFileSync(path, held.bytes);
      return { path, [Symbol.asyncDispose]: async () => rmSync(path, { force: true }) };
    },

    async *unfinished() {},

    now: async () => now(),
  };

  function bytesOf(body: ObjectBody): Buffer {
    if ("text" in body) return Buffer.from(body.text);
    const bytes = "path" in body ? readFileSync(body.path) : objects.get(body.from)?.bytes;
    if (bytes === undefined) throw new StoreUnavailable(`${"from" in body ? body.from : ""} is gone from the store`);
    const sha256 = digest("sha256", bytes);
    if (sha256 !== body.sha256) throw new StoreUnavailable(`expected the sha256 ${body.sha256}, got ${sha256}`);
    return bytes;
  }
}

function digest(algorithm: "md5" | "sha256", bytes: Buffer): string {
  return createHash(algorithm).update(bytes).digest("hex");
}
