import { InputInvalid } from "../../domain/model/failure.ts";
import type { PinnedInput } from "../../domain/value-object/fingerprint.ts";
import type { LoadRequest } from "../../usecase/ports/output/dataset-loader.ts";

/** @throws InputInvalid unless the one file of the source has the sha256 that the definition says, if it says one. */
export function checkDeclaredSha256(
  { dataset, date, source }: LoadRequest,
  files: readonly Pick<PinnedInput, "uri" | "sha256">[],
): void {
  const expected = source.sha256?.toLowerCase();
  if (expected === undefined) return;
  const [file] = files;
  if (file === undefined || files.length > 1) {
    throw new InputInvalid(`${dataset} ${date}: source.sha256 is of one file, the source has ${files.length}`);
  }
  if (file.sha256 !== expected) {
    throw new InputInvalid(`${dataset} ${date}: ${file.uri} must have the sha256 ${expected}, got ${file.sha256}`, {
      details: { uri: file.uri, expected, actual: file.sha256 },
    });
  }
}
