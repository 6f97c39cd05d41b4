import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectVersionsCommand,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { expect, test } from "vitest";
import { s3ClientOf, startVersitygw } from "../support/s3-servers.ts";

async function textOf(client: S3Client, bucket: string, key: string): Promise<string | undefined> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  return await Body?.transformToString();
}

test.each([{ concurrency: 1 as const }, {}])("versitygw with %j keeps an object over a kill", async (options) => {
  await using server = await startVersitygw(options);
  const client = s3ClientOf(server);
  const { bucket } = server;
  await client.send(new PutObjectCommand({ Bucket: bucket, Key: "folder/key", Body: "text" }));
  expect(await textOf(client, bucket, "folder/key")).toBe("text");
  await server.kill();
  await expect(textOf(client, bucket, "folder/key")).rejects.toThrow();
  await server.restart();
  expect(await textOf(client, bucket, "folder/key")).toBe("text");
});

test("with versioning, versitygw keeps what was overwritten and deleted", async () => {
  await using server = await startVersitygw({ concurrency: 1, versioning: true });
  const client = s3ClientOf(server);
  const object = { Bucket: server.bucket, Key: "key" };
  await client.send(new PutObjectCommand({ ...object, Body: "first" }));
  await client.send(new PutObjectCommand({ ...object, Body: "second" }));
  await client.send(new DeleteObjectCommand(object));
  const { Versions = [], DeleteMarkers = [] } = await client.send(
    new ListObjectVersionsCommand({ Bucket: server.bucket, Prefix: "key" }),
  );
  expect([Versions.length, DeleteMarkers.length]).toEqual([2, 1]);
});
