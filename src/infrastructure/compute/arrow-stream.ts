import { InputInvalid } from "../../domain/model/failure.ts";
import { fileHead } from "./file-head.ts";

/** The marker that every message of an Arrow IPC stream begins with; a file begins with `ARROW1`. */
const continuation = 0xffffffff;

/**
 * To the engine a stream is a file with an invalid footer, which tells nobody what to do.
 * @throws InputInvalid when the bytes are an Arrow IPC stream
 */
export async function refuseArrowStream(uri: string, path: string): Promise<void> {
  if ((await fileHead(path)) !== continuation) return;
  throw new InputInvalid(`${uri} is an Arrow IPC stream, and a file was expected: write it in the file format`);
}
