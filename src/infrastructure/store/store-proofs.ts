import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { StoreUnsafe } from "../../domain/model/failure.ts";
import type { ObjectStore } from "./object-store.ts";
import { proveStore, type StoreProof } from "./prove-store.ts";

export type Trust = {
  /** The largest result that may be published there. */
  readonly mostBytes: number;
  /** What a person should know, if anything. */
  readonly note?: string;
};

export type TrustOptions = {
  readonly scratchFolder: string;
  /** What tells stores of one URL apart, such as the server's address. */
  readonly server: string;
  /** Where proofs are kept between processes; a kept one counts for a week. Without it the store proves itself now. */
  readonly proofsFolder?: string;
  /** How long its writers race, in milliseconds, beyond a fixed least. */
  readonly enoughMs?: number;
  /** Whether a store that lies is used nevertheless. */
  readonly acceptUnsafe: boolean;
};

/**
 * Has a store prove that publication to it is safe.
 * @throws StoreUnsafe unless that is accepted, StoreUnavailable
 */
export async function establishTrust(store: ObjectStore, options: TrustOptions): Promise<Trust> {
  const path = options.proofsFolder === undefined ? undefined : proofPath(options.proofsFolder, store, options.server);
  try {
    const kept = path === undefined ? undefined : await readProof(path);
    const proof = kept ?? (await proveStore(store, options.scratchFolder, options.enoughMs));
    if (kept === undefined && path !== undefined) await keepProof(path, proof);
    return trustIn(store, proof, options.acceptUnsafe);
  } catch (error) {
    if (!(error instanceof StoreUnsafe) || !options.acceptUnsafe) throw error;
    return { mostBytes: Number.POSITIVE_INFINITY, note: `accepted by STORE_ACCEPT_UNSAFE: ${error.message}` };
  }
}

function trustIn(store: ObjectStore, { large }: StoreProof, acceptUnsafe: boolean): Trust {
  const everything = { mostBytes: Number.POSITIVE_INFINITY };
  if (large !== "unsafe" || store.large === undefined) return everything;
  const { aboveBytes } = store.large;
  const fault = `the store ${store.url} lets several writers of one object win when it is uploaded in parts`;
  if (acceptUnsafe) return { ...everything, note: `accepted by STORE_ACCEPT_UNSAFE: ${fault}` };
  return { mostBytes: aboveBytes, note: `${fault}: results are limited to ${aboveBytes / 2 ** 20} MiB, one request` };
}

const validForMs = 7 * 24 * 60 * 60_000;

function proofPath(folder: string, store: ObjectStore, server: string): string {
  const name = createHash("sha256").update(`${store.url} ${server}`).digest("hex").slice(0, 32);
  return join(folder, `${name}.json`);
}

async function readProof(path: string): Promise<StoreProof | undefined> {
  try {
    const { provenAt, large } = JSON.parse(await readFile(path, "utf8"));
    const fresh = Date.now() - Date.parse(provenAt) < validForMs;
    return fresh && (large === "safe" || large === "unsafe" || large === "same") ? { large } : undefined;
  } catch {
    return undefined; // none that can be read: the store proves itself again
  }
}

async function keepProof(path: string, proof: StoreProof): Promise<void> {
  try {
    await mkdir(join(path, ".."), { recursive: true });
    await writeFile(`${path}.${process.pid}`, JSON.stringify({ provenAt: new Date().toISOString(), ...proof }));
    await rename(`${path}.${process.pid}`, path);
  } catch {
    // A machine without a place for it asks again each time.
  }
}
