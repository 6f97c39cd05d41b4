import type { DatasetDefinition } from "../domain/model/dataset-definition.ts";
import type { InspectedInput } from "../domain/value-object/fingerprint.ts";

/** A day above it is no small one, where its definition does not say. */
const defaultLargeBytes = 64 * 2 ** 20;

/** Of all files together; nothing where the source does not tell. */
export function sizeOf(inputs: readonly InspectedInput[]): number | null {
  const sizes = inputs.map(({ sizeBytes }) => sizeBytes);
  return sizes.some((size) => size === undefined) ? null : sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0);
}

/** Whether a date is better calculated by a run of its own than in a row with others. An unknown size counts as small. */
export function isLarge(
  { largeBytes = defaultLargeBytes }: DatasetDefinition,
  inputs: readonly InspectedInput[],
): boolean {
  return (sizeOf(inputs) ?? 0) > largeBytes;
}
