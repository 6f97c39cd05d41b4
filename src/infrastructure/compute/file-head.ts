import { open } from "node:fs/promises";

/** The first four bytes of a file, as a little-endian number; what it does not have counts as zero. */
export async function fileHead(path: string): Promise<number> {
  const head = Buffer.alloc(4);
  const file = await open(path);
  try {
    await file.read(head, 0, head.length, 0);
    return head.readUInt32LE();
  } finally {
    await file.close();
  }
}
