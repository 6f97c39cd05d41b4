import type { Leftover } from "./staging-area.ts";

/** What calculations and downloads keep on the disk of this machine while they run. */
export interface LocalScratch {
  /** Files and folders of this service only, each with whether a process has it that is alive. @throws StoreUnavailable */
  list(): Promise<readonly (Leftover & { readonly inUse: boolean })[]>;
  now(): Promise<Date>;
}
