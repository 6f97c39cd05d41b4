import type { TestProject } from "vitest/node";
import type { DevServer } from "../../src/infrastructure/temporal/dev-server.ts";
import { startTestServer } from "./temporal.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Of the one Temporal server that all test files share: `createNamespace(inject("temporalAddress"))`. */
    temporalAddress: string;
  }
}

let server: DevServer | undefined;

export async function setup(project: TestProject): Promise<void> {
  server = await startTestServer();
  project.provide("temporalAddress", server.address);
}

export async function teardown(): Promise<void> {
  await server?.stop();
}
