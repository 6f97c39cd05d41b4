import { findVersitygw } from "../support/s3-binaries.ts";

/** Once, rather than in each test file at the same time: it may take minutes. */
export async function setup(): Promise<void> {
  await findVersitygw();
}
