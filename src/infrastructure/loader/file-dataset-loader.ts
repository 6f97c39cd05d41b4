import { type BigIntStats, constants } from "node:fs";
import { open, realpath, stat } from "node:fs/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { AnalysisFailure, InputChanged, InputMissing, SourceUnavailable } from "../../domain/model/failure.ts";
import type { InspectedInput, PinnedInput } from "../../domain/value-object/fingerprint.ts";
import type { DatasetLoader, LoadRequest } from "../../usecase/ports/output/dataset-loader.ts";
import { errorCode } from "../error-code.ts";
import { hashContent } from "../file-hash.ts";
import { checkDeclaredSha256 } from "./declared-sha256.ts";
import { expandWithin } from "./expand-source.ts";
import { isAbsent, matchFiles } from "./match-files.ts";

/**
 * Reads files of this machine in place: `location` is the `file:` URL of the real path, and the sha256 is of the file as
 * it lies, compressed or not. A file that several addresses or links lead to is one input. `modifiedAt` has nanoseconds.
 */
export function createFileDatasetLoader(): DatasetLoader {
  return {
    async inspect(request, _previous, signal) {
      const files: InspectedInput[] = [];
      for (const { uri, path } of await findFiles(request)) {
        const state = await translating(about(request, uri), signal, () => hashFile(path, signal));
        files.push({ uri, ...state });
      }
      return files;
    },

    async load(request, inspected, signal) {
      const before = new Map(inspected.map((file) => [file.uri, file]));
      const pins: PinnedInput[] = [];
      for (const { uri, path } of await findFiles(request)) {
        const state = await translating(about(request, uri), signal, async () => {
          const known = await unlessTouched(path, before.get(uri));
          return known ?? hashFile(path, signal);
        });
        pins.push({ uri, location: pathToFileURL(path).href, ...state, fetchedAt: new Date().toISOString() });
      }
      checkDeclaredSha256(request, pins);
      return pins;
    },

    async verify(inputs, signal) {
      for (const { uri, location, sha256 } of inputs) {
        const now = await translating(uri, signal, () => hashFile(fileURLToPath(location), signal)).catch((error) => {
          throw error instanceof InputMissing ? changed(uri, "it is gone") : error;
        });
        if (now.sha256 !== sha256) throw changed(uri, `its sha256 was ${sha256} and is ${now.sha256}`);
      }
    },
  };
}

type FileState = Required<Pick<PinnedInput, "sizeBytes" | "sha256" | "modifiedAt">>;

class NotAFile extends Error {
  override readonly name = "NotAFile";
}

async function findFiles(request: LoadRequest): Promise<readonly { readonly uri: string; readonly path: string }[]> {
  const found = new Map<string, string>();
  for (const { href, path } of expandWithin("file", request)) {
    const subject = about(request, href);
    await translating(subject, undefined, async () => {
      const paths = request.source.glob === true ? await matchFiles(path) : [path];
      if (paths.length === 0) throw new InputMissing(`${subject}: no file matches`);
      for (const each of paths) {
        const real = await realpath(each);
        if (!found.has(real)) found.set(real, pathToFileURL(each).href);
      }
    });
  }
  return [...found].map(([path, uri]) => ({ uri, path }));
}

/** What was found out before, while size and time are still those. The sha256 is proven again by `verify`. */
async function unlessTouched(path: string, before: InspectedInput | undefined): Promise<FileState | undefined> {
  if (before?.sha256 === undefined || before.sizeBytes === undefined || before.modifiedAt === undefined)
    return undefined;
  const now = await stat(path, { bigint: true });
  if (!now.isFile() || Number(now.size) !== before.sizeBytes || modifiedAt(now) !== before.modifiedAt) return undefined;
  return { sizeBytes: before.sizeBytes, sha256: before.sha256, modifiedAt: before.modifiedAt };
}

async function hashFile(path: string, signal?: AbortSignal): Promise<FileState> {
  // O_NONBLOCK: opening a named pipe would wait for its writer.
  await using handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const before = await handle.stat({ bigint: true });
  if (!before.isFile()) throw new NotAFile(before.isDirectory() ? "it is a folder" : "it is no regular file");
  const { sha256, sizeBytes } = await hashContent(handle, Number(before.size), signal);
  const after = await stat(path, { bigint: true });
  const same = after.ino === before.ino && after.size === before.size && after.mtimeNs === before.mtimeNs;
  if (!same || BigInt(sizeBytes) !== before.size)
    throw changed(pathToFileURL(path).href, "it changed while it was hashed");
  return { sizeBytes, sha256, modifiedAt: modifiedAt(before) };
}

/** ISO 8601 to the nanosecond, since two writes in one millisecond are two states. */
function modifiedAt({ mtime, mtimeNs }: BigIntStats): string {
  const nanoseconds = ((mtimeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return `${mtime.toISOString().slice(0, 19)}.${String(nanoseconds).padStart(9, "0")}Z`;
}

function about({ dataset, date }: LoadRequest, uri: string): string {
  return `${dataset} ${date}: ${uri}`;
}

function changed(uri: string, how: string): InputChanged {
  return new InputChanged(`${uri} must stay as it is during a run: ${how}`, { details: { uri } });
}

/** Runs a read and says what the errors of the file system mean for the run. */
async function translating<T>(subject: string, signal: AbortSignal | undefined, read: () => Promise<T>): Promise<T> {
  try {
    signal?.throwIfAborted();
    return await read();
  } catch (error) {
    if (error instanceof AnalysisFailure || signal?.aborted === true) throw error;
    if (error instanceof NotAFile) throw new InputMissing(`${subject}: a file was expected, ${error.message}`);
    if (isAbsent(error)) throw new InputMissing(`${subject} does not exist`, { cause: error });
    const code = errorCode(error);
    throw code === undefined ? error : new SourceUnavailable(`${subject} cannot be read (${code})`, { cause: error });
  }
}
