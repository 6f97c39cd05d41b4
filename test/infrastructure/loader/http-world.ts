import { once } from "node:events";
import { copyFile, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createHttpDatasetLoader,
  type HttpDatasetLoaderOptions,
} from "../../../src/infrastructure/loader/http-dataset-loader.ts";
import type { DatasetLoader } from "../../../src/usecase/ports/output/dataset-loader.ts";

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A real server and a loader whose staged files lie in a folder. */
export type HttpWorld = AsyncDisposable & {
  readonly port: number;
  /** The server by its address, and by the name that makes it a second host. */
  readonly first: string;
  readonly second: string;
  readonly requests: readonly IncomingMessage[];
  serve(handler: Handler): void;
  loader(options?: Partial<HttpDatasetLoaderOptions>): DatasetLoader;
  stagedPath(location: string): string;
  scratchFiles(): Promise<readonly string[]>;
};

export async function createHttpWorld(): Promise<HttpWorld> {
  const folder = await mkdtemp(join(tmpdir(), "http-world-"));
  const scratchFolder = join(folder, "scratch");
  await mkdir(scratchFolder);
  const requests: IncomingMessage[] = [];
  let handle: Handler = (_, response) => response.writeHead(404).end();
  const server = createServer((request, response) => {
    requests.push(request);
    request.socket.on("error", () => {});
    handle(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;

  const stagedPath = (location: string) => join(folder, location.replaceAll("/", "_"));
  return {
    port,
    first: `http://127.0.0.1:${port}`,
    second: `http://localhost:${port}`,
    requests,
    serve(handler) {
      handle = handler;
    },
    loader: (options = {}) =>
      createHttpDatasetLoader({
        async stage(runId, name, file) {
          const location = `_staging/${runId}/${name}`;
          await copyFile(file.path, stagedPath(location));
          return location;
        },
        scratchFolder,
        environment: { SOURCE_TOKEN: "Bearer s3cr3t" },
        ...options,
      }),
    stagedPath,
    scratchFiles: () => readdir(scratchFolder, { recursive: true }),
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Answers with these very bytes and closes the connection. */
export function answerRaw(request: IncomingMessage, ...parts: readonly (string | Buffer)[]): void {
  for (const part of parts) request.socket.write(part);
  request.socket.end();
}
