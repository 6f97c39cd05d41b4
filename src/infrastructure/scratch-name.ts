/**
 * The beginning of the name of a temporary file or folder, to which what makes it unique is added. It tells what is ours,
 * and whose: `polars-analysis-4711-fetch-`.
 */
export function scratchName(kind: string): string {
  return `polars-analysis-${process.pid}-${kind}-`;
}

/**
 * The process that has made a temporary file or folder, told by its name; nothing for what is not ours, such as a copy of
 * this repository in `/tmp/polars-analysis-service`.
 */
export function scratchOwner(name: string): number | undefined {
  const pid = /^polars-analysis-(\d{1,10})-[a-z-]+-[\w-]+$/.exec(name)?.[1];
  return pid === undefined ? undefined : Number(pid);
}
