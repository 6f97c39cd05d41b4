import { tmpdir } from "node:os";
import { join } from "node:path";
import type { S3Client } from "@aws-sdk/client-s3";
import { InputChanged, InputMissing } from "../../domain/model/failure.ts";
import type { PinnedInput } from "../../domain/value-object/fingerprint.ts";
import { mapBounded } from "../../usecase/map-bounded.ts";
import type { DatasetLoader, LoadRequest } from "../../usecase/ports/output/dataset-loader.ts";
import { inScratchFolder, type Stage, stagedName } from "./body-file.ts";
import { checkDeclaredSha256 } from "./declared-sha256.ts";
import { expandWithin } from "./expand-source.ts";
import { isPattern, matchesPath } from "./match-pattern.ts";
import { parseS3Address, type S3Address } from "./s3-address.ts";
import type { S3Question } from "./s3-objects.ts";
import { withinTime } from "./within-time.ts";

export type S3DatasetLoaderOptions = {
  /** Asked for when an address is read. Time-outs and retries of single requests are its own. */
  readonly client: () => Promise<S3Client>;
  readonly stage: Stage;
  /** Where bodies lie until they are staged. Default: the temporary folder of the system. */
  readonly scratchFolder?: string;
  /** One object. Default: 1 hour. */
  readonly transferTimeoutMs?: number;
};

/** Objects asked for at the same time. */
const concurrency = 4;
const parquetMagic = Buffer.from("PAR1");

/**
 * Reads objects of S3. Plain Parquet stays where it is, pinned by its ETag and read in place by the calculation, which
 * takes the columns that it needs. All else streams into the store and is hashed on the way: other formats, compressed
 * files, and a file whose sha256 is declared, since only who reads a file can prove it.
 */
export function createS3DatasetLoader(options: S3DatasetLoaderOptions): DatasetLoader {
  const { client: clientOf, stage, scratchFolder = tmpdir(), transferTimeoutMs = 3_600_000 } = options;

  return {
    async inspect(request, _previous, signal) {
      return eachObject(request, signal, async (s3, question) => {
        return { uri: question.address.href, ...(await s3.stateOf(question)) };
      });
    },

    async load(request, _inspected, signal) {
      return eachObject(request, signal, (s3, question) =>
        withinTime(question.subject, transferTimeoutMs, question.signal, async (inTime) => {
          const asked = { ...question, signal: inTime };
          return (await pinInPlace(request, s3, asked)) ?? (await pinStaged(request, s3, asked));
        }),
      );
    },

    async verify(inputs, signal) {
      const inPlace = inputs.filter(({ location }) => location.startsWith("s3:"));
      if (inPlace.length === 0) return;
      const [s3, client] = await Promise.all([import("./s3-objects.ts"), clientOf()]);
      await mapBounded(inPlace, concurrency, signal, async ({ uri, location, etag }, stop) => {
        const question = { client, subject: uri, address: parseS3Address(location), signal: stop };
        const now = await s3.stateOf(question).catch((error: unknown) => {
          throw error instanceof InputMissing ? changed(uri, "it is gone") : error;
        });
        if (now.etag !== etag) throw changed(uri, `its ETag was ${etag} and is ${now.etag}`);
      });
    },
  };

  async function eachObject<T>(
    request: LoadRequest,
    signal: AbortSignal | undefined,
    work: (s3: Asking, question: S3Question) => Promise<T>,
  ): Promise<readonly T[]> {
    signal?.throwIfAborted();
    const addresses = expandWithin("s3", request);
    // Loaded when an address is s3: AWS's client takes longer than the start of a process.
    const [s3, client] = await Promise.all([import("./s3-objects.ts"), clientOf()]);
    const questionOf = (address: S3Address, stop: AbortSignal): S3Question => {
      return { client, subject: `${request.dataset} ${request.date}: ${address.href}`, address, signal: stop };
    };
    const found = request.source.glob
      ? await mapBounded(addresses, 1, signal, (address, stop) => matching(s3, questionOf(address, stop)))
      : [addresses];
    const objects = [...new Map(found.flat().map((address) => [address.href, address])).values()];
    if (objects.length > 1) {
      checkDeclaredSha256(
        request,
        objects.map(({ href }) => ({ uri: href })),
      );
    }
    return mapBounded(objects, concurrency, signal, (address, stop) => work(s3, questionOf(address, stop)));
  }

  async function pinInPlace(request: LoadRequest, s3: Asking, question: S3Question): Promise<PinnedInput | undefined> {
    if (request.format.type !== "parquet" || request.source.sha256 !== undefined) return undefined;
    const uri = question.address.href;
    const state = await s3.stateOf(question);
    const { etag, sizeBytes } = state;
    if (etag === undefined || sizeBytes < parquetMagic.length) return undefined;
    if (!(await s3.beginsWith(question, etag, parquetMagic))) return undefined;
    return { uri, location: uri, ...state, fetchedAt: new Date().toISOString() };
  }

  async function pinStaged(request: LoadRequest, s3: Asking, question: S3Question): Promise<PinnedInput> {
    return inScratchFolder(scratchFolder, async (folder) => {
      const uri = question.address.href;
      const { path, sizeBytes, sha256, ...validators } = await s3.fetchObject(question, join(folder, "body"));
      const fetchedAt = new Date().toISOString();
      checkDeclaredSha256(request, [{ uri, sha256 }]);
      const location = await stage(request.runId, stagedName(uri), { path, sizeBytes, sha256 });
      return { uri, location, sizeBytes, sha256, ...validators, fetchedAt };
    });
  }
}

type Asking = typeof import("./s3-objects.ts");

/** What a pattern names, in the order of keys. */
async function matching(s3: Asking, question: S3Question): Promise<readonly S3Address[]> {
  const { subject, address } = question;
  if (!isPattern(address.key)) return [address];
  const [prefix = ""] = address.key.split(/[*?[\\]/, 1);
  const pattern = address.key.split("/");
  const keys = (await s3.keysWith(question, prefix)).filter((key) => matchesPath(key.split("/"), pattern));
  if (keys.length === 0) throw new InputMissing(`${subject}: no file matches`);
  return keys.toSorted().map((key) => parseS3Address(`s3://${address.bucket}/${key}`));
}

function changed(uri: string, how: string): InputChanged {
  return new InputChanged(`${uri} must stay as it is during a run: ${how}`, { details: { uri } });
}
