import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import type { Dispatcher } from "undici";
import { InputInvalid } from "../../domain/model/failure.ts";
import { type BodyFile, Meter, writeBody } from "./body-file.ts";
import { dropBody } from "./http-exchange.ts";
import { header, networkFailure } from "./http-failure.ts";

/** `sentSha256` is of the bytes as they were sent, before a Content-Encoding was undone. */
type Download = BodyFile & { readonly sentSha256: string };

/**
 * Streams a body into a new file and hashes it on the way; memory use does not grow with the body.
 *
 * A Content-Encoding of gzip, sent though none was asked for, is undone and checked by its trailer. A body whose end is
 * marked neither by a length, nor by chunks, nor by its own format (gzip, zstd, Parquet, Arrow) could be cut without a
 * trace: it is refused, unless `provenLater`, because a declared sha256 will tell.
 * @throws SourceUnavailable when the body ends early or stalls, InputInvalid, StoreUnavailable when the disk refuses
 */
export async function download(
  answer: Dispatcher.ResponseData,
  target: { readonly subject: string; readonly path: string; readonly provenLater: boolean },
  signal: AbortSignal,
): Promise<Download> {
  const { subject, path } = target;
  const { headers, body } = answer;
  const coding = contentCoding(headers);
  if (coding !== "identity" && coding !== "gzip") {
    dropBody(answer);
    throw new InputInvalid(
      `${subject} must be sent as it is or with gzip, got the Content-Encoding ${JSON.stringify(coding)}`,
    );
  }
  const sent = new Meter();
  const kept = coding === "gzip" ? new Meter() : sent;
  let saved = Promise.resolve();
  const save = (chunks: AsyncIterable<Buffer>) => {
    saved = writeBody(path, kept.pass(chunks));
    return saved;
  };
  try {
    if (coding === "identity") await pipeline(body, save, { signal });
    else await pipeline(body, (chunks: AsyncIterable<Buffer>) => sent.pass(chunks), createGunzip(), save, { signal });
  } catch (error) {
    // A pipeline may fail before its last step has let go of the file.
    await saved.catch(() => {});
    throw signal.aborted ? signal.reason : networkFailure(subject, error);
  }
  if (!endIsMarked(headers) && !target.provenLater && coding === "identity" && !marksItsEnd(kept.head)) {
    throw new InputInvalid(
      `${subject} must be sent with a length or in chunks, got neither, so that a cut body would look whole; ` +
        "give source.sha256 or a compressed file",
    );
  }
  const sentSha256 = sent.sha256();
  return { path, sizeBytes: kept.sizeBytes, sha256: kept === sent ? sentSha256 : kept.sha256(), sentSha256 };
}

export function contentCoding(headers: Dispatcher.ResponseData["headers"]): string {
  const coding = [headers["content-encoding"] ?? []].flat().join().trim().toLowerCase();
  return coding === "" ? "identity" : coding.replace(/^x-gzip$/, "gzip");
}

function endIsMarked(headers: Dispatcher.ResponseData["headers"]): boolean {
  const chunked = /chunked\s*$/i.test(header(headers, "transfer-encoding") ?? "");
  return chunked || header(headers, "content-length") !== undefined;
}

/** gzip, zstd, Parquet, Arrow: a reader finds out by itself when the end is missing. */
function marksItsEnd(head: Buffer): boolean {
  return ["1f8b", "28b52ffd", "50415231", "4152524f5731"].some((magic) => head.toString("hex").startsWith(magic));
}
