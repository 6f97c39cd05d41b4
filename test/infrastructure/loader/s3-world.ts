import { randomUUID } from "node:crypto";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DeleteObjectCommand, GetObjectCommand, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { inject } from "vitest";
import type { PinnedInput } from "../../../src/domain/value-object/fingerprint.ts";
import {
  createS3DatasetLoader,
  type S3DatasetLoaderOptions,
} from "../../../src/infrastructure/loader/s3-dataset-loader.ts";
import { createS3Client } from "../../../src/infrastructure/store/s3-client.ts";
import type { DatasetLoader } from "../../../src/usecase/ports/output/dataset-loader.ts";

/** Keys of the shared server below a prefix of their own, and a loader whose staged files lie in a folder. */
export type S3World = AsyncDisposable & {
  readonly client: S3Client;
  readonly bucket: string;
  loader(options?: Partial<S3DatasetLoaderOptions>): DatasetLoader;
  uri(name: string): string;
  put(name: string, content: string | Buffer): Promise<void>;
  remove(name: string): Promise<void>;
  pinnedBytes(pin: PinnedInput): Promise<Buffer>;
  stagedNames(): Promise<readonly string[]>;
  scratchFiles(): Promise<readonly string[]>;
};

type Access = { readonly endpoint: string; readonly accessKeyId: string; readonly secretAccessKey: string };

/** The service's own client, without the retries that would hide a fault. */
export function clientOf({ endpoint, ...credentials }: Access): S3Client {
  return createS3Client({ endpoint, region: "us-east-1", pathStyle: true, attempts: 1, credentials });
}

export async function createS3World(): Promise<S3World> {
  const folder = await mkdtemp(join(tmpdir(), "s3-world-"));
  const [scratchFolder, stagingFolder] = [join(folder, "scratch"), join(folder, "staged")];
  await mkdir(scratchFolder);
  await mkdir(stagingFolder);
  const { bucket, ...access } = inject("s3");
  const client = clientOf(access);
  const prefix = `source-${randomUUID()}`;
  const at = (name: string) => ({ Bucket: bucket, Key: `${prefix}/${name}` });
  return {
    client,
    bucket,
    loader: (options = {}) =>
      createS3DatasetLoader({
        client: async () => client,
        async stage(_runId, name, file) {
          const location = `${name}-${randomUUID()}`;
          await copyFile(file.path, join(stagingFolder, location));
          return location;
        },
        scratchFolder,
        ...options,
      }),
    uri: (name) => `s3://${bucket}/${prefix}/${name}`,
    async put(name, content) {
      await client.send(new PutObjectCommand({ ...at(name), Body: content }));
    },
    async remove(name) {
      await client.send(new DeleteObjectCommand(at(name)));
    },
    async pinnedBytes({ location }) {
      if (!location.startsWith("s3:")) return readFile(join(stagingFolder, location));
      const Key = location.slice(`s3://${bucket}/`.length);
      const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key }));
      return Buffer.from((await Body?.transformToByteArray()) ?? []);
    },
    stagedNames: () => readdir(stagingFolder),
    scratchFiles: () => readdir(scratchFolder, { recursive: true }),
    async [Symbol.asyncDispose]() {
      client.destroy();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
