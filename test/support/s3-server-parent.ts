/** A process that starts SeaweedFS and does nothing more, for a test that kills it. */
import { startSeaweedfs } from "./s3-servers.ts";

const { endpoint, pid } = await startSeaweedfs();
process.stdout.write(`${JSON.stringify({ endpoint, pid: pid() })}\n`);
