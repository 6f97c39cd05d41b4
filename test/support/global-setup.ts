import type { TestProject } from "vitest/node";
import { type S3Access, startSeaweedfs } from "./s3-servers.ts";
import { startTestServer } from "./temporal.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Of the one Temporal server that all test files share: `createNamespace(inject("temporalAddress"))`. */
    temporalAddress: string;
    /** Of the one SeaweedFS that all test files share, each test below a key prefix of its own. */
    s3: S3Access;
  }
}

const servers = new AsyncDisposableStack();

export async function setup(project: TestProject): Promise<void> {
  const [temporal, s3] = [startTestServer(), startSeaweedfs()];
  for (const started of await Promise.allSettled([temporal, s3])) {
    if (started.status === "fulfilled") servers.use(started.value);
  }
  try {
    const { endpoint, accessKeyId, secretAccessKey, bucket } = await s3;
    project.provide("s3", { endpoint, accessKeyId, secretAccessKey, bucket });
    project.provide("temporalAddress", (await temporal).address);
  } catch (error) {
    await servers.disposeAsync();
    throw error;
  }
}

export async function teardown(): Promise<void> {
  await servers.disposeAsync();
}
