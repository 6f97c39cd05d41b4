import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { GetObjectCommand } from "@aws-sdk/client-s3";
import type { ObjectStore } from "../../src/infrastructure/store/object-store.ts";
import { factsOf } from "../simulation/history.ts";
import { s3ClientOf } from "../support/s3-servers.ts";
import { sha256Of } from "./content.ts";
import { bytesAt, dataset, layout, type StoreAccess } from "./store-access.ts";
import type { SeenLive } from "./verdict.ts";

export type WayToRead = {
  readonly name: string;
  readonly text: (key: string) => Promise<string | undefined>;
  /** The result's bytes and what belongs to them, of one moment. */
  readonly live: (date: string) => Promise<{ readonly bytes: Buffer; readonly seen: SeenLive } | undefined>;
};

const mostTries = 50;

export function throughAdapter(store: ObjectStore): WayToRead {
  return {
    name: "the adapter's reader",
    text: (key) => store.text(key),
    async live(date) {
      const key = layout.result(dataset, date);
      for (let attempt = 1; attempt <= mostTries; attempt += 1) {
        const before = await store.head(key);
        if (before === undefined) return undefined;
        const bytes = await bytesAt(store, key);
        if ((await store.head(key))?.etag !== before.etag) continue;
        if (bytes === undefined) return undefined;
        const { metadata } = before;
        return {
          bytes,
          seen: { sha256: sha256Of(bytes), metadata, manifest: await store.text(metadata["manifest"] ?? "none") },
        };
      }
      throw new Error(`${key} was never the same before and after it was read`);
    },
  };
}

export function withoutAdapter(access: StoreAccess): WayToRead {
  return access.kind === "disk" ? plainFiles(access.folder) : plainObjects(access);
}

/** As somebody who knows nothing but the files. */
function plainFiles(folder: string): WayToRead {
  const manifests = new Map<string, string>();
  const text = (key: string) => orAbsent(readFile(join(folder, key), "utf8"));
  const manifestOf = async (date: string, sha256: string) => {
    const under = layout.manifests(dataset, date);
    for (const name of (await orAbsent(readdir(join(folder, under)))) ?? []) {
      if (!manifests.has(under + name)) manifests.set(under + name, (await text(under + name)) ?? "");
    }
    return [...manifests]
      .filter(([key]) => key.startsWith(under))
      .find(([, manifest]) => factsOf(manifest)?.result.sha256 === sha256)?.[1];
  };
  return {
    name: "the reader of plain files",
    text,
    async live(date) {
      const bytes = await orAbsent(readFile(join(folder, layout.result(dataset, date))));
      if (bytes === undefined) return undefined;
      const sha256 = sha256Of(bytes);
      return { bytes, seen: { sha256, manifest: await manifestOf(date, sha256) } };
    },
  };
}

/** As somebody who knows nothing but S3: one request has bytes and metadata of one moment. */
function plainObjects({ server, prefix }: Extract<StoreAccess, { kind: "s3" }>): WayToRead {
  const client = s3ClientOf(server);
  const get = async (key: string) => {
    try {
      const got = await client.send(new GetObjectCommand({ Bucket: server.bucket, Key: `${prefix}/${key}` }));
      return { bytes: Buffer.from((await got.Body?.transformToByteArray()) ?? []), metadata: got.Metadata ?? {} };
    } catch (error) {
      if (error instanceof Error && error.name === "NoSuchKey") return undefined;
      throw error;
    }
  };
  const text = async (key: string) => (await get(key))?.bytes.toString();
  return {
    name: "the reader of plain objects",
    text,
    async live(date) {
      const found = await get(layout.result(dataset, date));
      if (found === undefined) return undefined;
      const { bytes, metadata } = found;
      return {
        bytes,
        seen: { sha256: sha256Of(bytes), metadata, manifest: await text(metadata["manifest"] ?? "none") },
      };
    },
  };
}

async function orAbsent<T>(operation: Promise<T>): Promise<T | undefined> {
  try {
    return await operation;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
