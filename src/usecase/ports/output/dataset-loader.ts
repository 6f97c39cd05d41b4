import type { Format, Source } from "../../../domain/model/dataset-definition.ts";
import type { DatasetId } from "../../../domain/value-object/dataset-id.ts";
import type { InspectedInput, PinnedInput } from "../../../domain/value-object/fingerprint.ts";
import type { RunId } from "../../../domain/value-object/run-id.ts";
import type { TargetDate } from "../../../domain/value-object/target-date.ts";

export type LoadRequest = {
  readonly dataset: DatasetId;
  readonly date: TargetDate;
  readonly runId: RunId;
  readonly source: Source;
  /** What the bytes are, since some can be read in place. */
  readonly format: Format;
  /** The folder that relative `file:` addresses start at. */
  readonly folder: string;
};

/** Reads what lies at a source, whatever the protocol. Addresses are returned without secrets, in a stable order. */
export interface DatasetLoader {
  /**
   * What is there now. Reads no body that is not local.
   * @param previous the inputs of the published result, so that a strong validator can be asked about
   * @throws InputMissing, SourceUnavailable, BadRequest when an address is not allowed
   */
  inspect(
    request: LoadRequest,
    previous: readonly PinnedInput[],
    signal?: AbortSignal,
  ): Promise<readonly InspectedInput[]>;

  /**
   * Pins every file: bodies stream and are hashed on the way, a body that ends early is an error. What stays in place is
   * pinned by its sha256 or by a strong validator.
   * @throws InputMissing, InputInvalid on a wrong checksum, InputChanged, SourceUnavailable, StoreUnavailable
   */
  load(
    request: LoadRequest,
    inspected: readonly InspectedInput[],
    signal?: AbortSignal,
  ): Promise<readonly PinnedInput[]>;

  /**
   * Proves that what was read in place is still what was pinned.
   * @throws InputChanged
   */
  verify(inputs: readonly PinnedInput[], signal?: AbortSignal): Promise<void>;
}
