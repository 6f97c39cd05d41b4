/** A process that starts a server and does nothing more, for tests that kill it: `node dev-server-parent.ts <binary> [db file]`. */
import { startDevServer } from "../../src/infrastructure/temporal/dev-server.ts";

const [binary = "temporal", dbFile] = process.argv.slice(2);
const { address } = await startDevServer({
  binary,
  port: 0,
  uiPort: 0,
  searchAttributes: {},
  ...(dbFile === undefined ? {} : { dbFile }),
});
process.stdout.write(`${JSON.stringify({ address })}\n`);
