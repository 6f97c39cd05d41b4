import { randomUUID } from "node:crypto";
import { Connection } from "@temporalio/client";
import { msToTs } from "@temporalio/common/lib/time.js";
import { type DevServer, startDevServer } from "../../src/infrastructure/temporal/dev-server.ts";
import { defaultCacheFolder } from "../../src/infrastructure/temporal/pinned-package.ts";
import { findTemporalBinary } from "../../src/infrastructure/temporal/server-binary.ts";

/** The numbers of temporal.api.enums.v1.IndexedValueType. */
const indexedValueType = { Keyword: 2 } as const;

export const searchAttributes = { AnalysisDataset: "Keyword", AnalysisDate: "Keyword" } as const;

/** The Temporal CLI that tests run: TEMPORAL_BINARY, the PATH, the cache, else one download of 45 MB. */
export async function testBinary(): Promise<string> {
  const explicit = process.env["TEMPORAL_BINARY"];
  return await findTemporalBinary({
    ...(explicit === undefined ? {} : { explicit }),
    cacheFolder: defaultCacheFolder(),
    onProgress: (sentence) => process.stderr.write(`${sentence}\n`),
  });
}

/** A server of one's own, in memory, on free ports. The caller stops it (`await using`, or `stop()`). */
export async function startTestServer(): Promise<DevServer> {
  return await startDevServer({ binary: await testBinary(), port: 0, uiPort: 0, searchAttributes });
}

/**
 * A new namespace with the search attributes, so that test files that share a server may use the same workflow ids,
 * task queues and schedules. Takes about 15 ms.
 */
export async function createNamespace(address: string): Promise<string> {
  const namespace = `test-${randomUUID()}`;
  const connection = await Connection.connect({ address });
  try {
    await connection.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: msToTs("1 day"),
    });
    await connection.operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(
        Object.entries(searchAttributes).map(([name, type]) => [name, indexedValueType[type]]),
      ),
    });
    return namespace;
  } finally {
    await connection.close();
  }
}
