import { lstat, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { StoreUnavailable } from "../domain/model/failure.ts";
import type { LocalScratch } from "../usecase/ports/output/local-scratch.ts";
import { errorCode } from "./error-code.ts";
import { scratchOwner } from "./scratch-name.ts";

/**
 * Temporary files and folders of this service, and of this user, in any of the folders. A folder is as old as the newest
 * of what lies in it. Who made it is told by its name: a process of this machine, or of this container, that is alive.
 */
export function createLocalScratch(folders: readonly string[]): LocalScratch {
  return {
    async list() {
      const found = [];
      for (const folder of new Set(folders)) {
        for (const name of await namesIn(folder)) {
          const pid = scratchOwner(name);
          const path = join(folder, name);
          const seen = pid === undefined ? undefined : await measure(path);
          if (pid === undefined || seen === undefined) continue;
          found.push({ ...seen, inUse: isAlive(pid, seen.modifiedAt), remove: () => remove(path) });
        }
      }
      return found;
    },
    now: async () => new Date(),
  };
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw failure(folder, error);
  }
}

type Measured = { readonly modifiedAt: Date; readonly sizeBytes: number };

/** Nothing for what is gone meanwhile, or is another user's. */
async function measure(path: string): Promise<Measured | undefined> {
  try {
    const seen = await lstat(path);
    if (seen.uid !== process.geteuid?.()) return undefined;
    if (!seen.isDirectory()) return { modifiedAt: seen.mtime, sizeBytes: seen.size };
    const inside = await Promise.all((await readdir(path)).map((name) => measure(join(path, name))));
    const parts = inside.filter((part) => part !== undefined);
    return {
      modifiedAt: new Date(Math.max(seen.mtimeMs, ...parts.map(({ modifiedAt }) => modifiedAt.getTime()))),
      sizeBytes: parts.reduce((sum, part) => sum + part.sizeBytes, 0),
    };
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw failure(path, error);
  }
}

/** In a container every worker may be process 1: what is older than this one was made by another. */
function isAlive(pid: number, modifiedAt: Date): boolean {
  if (pid === process.pid) return modifiedAt.getTime() >= performance.timeOrigin;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return errorCode(error) === "EPERM";
  }
}

async function remove(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true }).catch((error: unknown) => {
    throw failure(path, error);
  });
}

function failure(path: string, cause: unknown): StoreUnavailable {
  return new StoreUnavailable(`the scratch ${path} must be readable and removable: ${String(cause)}`, { cause });
}
