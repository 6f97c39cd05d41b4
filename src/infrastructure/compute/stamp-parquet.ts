import { open } from "node:fs/promises";

const tailBytes = 8;

/**
 * Inserts text between the data and the footer of a Parquet file, in place. Offsets in the footer count from the start of
 * the file and lie before it, so every reader still reads the file. Equal results of two runs get different bytes, which
 * a compare-and-swap by ETag needs.
 */
export async function stampParquet(path: string, stamp: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    const { size } = await file.stat();
    const tail = Buffer.alloc(tailBytes);
    await file.read(tail, 0, tailBytes, size - tailBytes);
    const footerStart = size - tailBytes - tail.readUInt32LE(0);
    if (tail.toString("latin1", 4) !== "PAR1" || footerStart < 4) throw new Error(`${path} is no Parquet file`);
    const footer = Buffer.alloc(size - footerStart);
    await file.read(footer, 0, footer.length, footerStart);
    await file.write(Buffer.concat([Buffer.from(`\n${stamp}\n`), footer]), 0, undefined, footerStart);
  } finally {
    await file.close();
  }
}
