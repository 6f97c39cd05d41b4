import type { Manifest } from "../model/analysis-result.ts";
import { compareInputs, type InspectedInput } from "../value-object/fingerprint.ts";

/**
 * Why a date would be calculated in mode `changed`, or `unchanged`. `input-unknown`: the source proves neither sameness
 * nor change, so only reading it tells.
 */
export type Change = "missing" | "definition-changed" | "input-changed" | "input-unknown" | "unchanged";

/**
 * Compares what is published with the definition and the input of now.
 * @param digest of the definition
 */
export function changeOf(
  published: Pick<Manifest, "definitionDigest" | "inputs"> | undefined,
  digest: string,
  inputs: readonly InspectedInput[],
): Change {
  if (published === undefined) return "missing";
  if (published.definitionDigest !== digest) return "definition-changed";
  switch (compareInputs(inputs, published.inputs)) {
    case "same":
      return "unchanged";
    case "different":
      return "input-changed";
    case "unknown":
      return "input-unknown";
  }
}
