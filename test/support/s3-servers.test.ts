import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { expect, inject, test } from "vitest";
import { type S3Access, s3ClientOf, startSeaweedfs } from "./s3-servers.ts";
import { eventually } from "./service.ts";
import { tempFolder } from "./temp-folder.ts";

const parent = fileURLToPath(new URL("s3-server-parent.ts", import.meta.url));

async function put(access: S3Access, key: string, text: string): Promise<void> {
  await s3ClientOf(access).send(new PutObjectCommand({ Bucket: access.bucket, Key: key, Body: text }));
}

async function get(access: S3Access, key: string): Promise<string | undefined> {
  const { Body } = await s3ClientOf(access).send(new GetObjectCommand({ Bucket: access.bucket, Key: key }));
  return await Body?.transformToString();
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test("SeaweedFS keeps an object over a kill", async () => {
  await using server = await startSeaweedfs();
  await put(server, "folder/key", "text");
  expect(await get(server, "folder/key")).toBe("text");
  await server.kill();
  await server.kill();
  await expect(get(server, "folder/key")).rejects.toThrow();
  await server.restart();
  expect(await get(server, "folder/key")).toBe("text");
});

test("two servers side by side know nothing of each other, and only their own keys", async () => {
  await using servers = new AsyncDisposableStack();
  const [one, other] = await Promise.all([startSeaweedfs(), startSeaweedfs()]);
  servers.use(one);
  servers.use(other);
  await Promise.all([put(one, "key", "one"), put(other, "key", "other")]);
  expect(await Promise.all([get(one, "key"), get(other, "key")])).toEqual(["one", "other"]);
  await expect(get({ ...one, endpoint: other.endpoint }, "key")).rejects.toThrow(/access key/i);
  await expect(get({ ...one, secretAccessKey: other.secretAccessKey }, "key")).rejects.toThrow(/signature/i);
});

test("a server is gone with all of its files when its process was killed", async () => {
  const temporary = await tempFolder();
  const env = { ...process.env, TMPDIR: temporary };
  const child = spawn(process.execPath, [parent], { stdio: ["ignore", "pipe", "inherit"], env });
  const [line] = await once(createInterface(child.stdout), "line");
  const { pid, endpoint }: { pid: number; endpoint: string } = JSON.parse(line);
  const sockets = async () =>
    (await readdir("/tmp")).filter((name) => name === `seaweedfs-s3-${new URL(endpoint).port}.sock`);
  expect([isAlive(pid), await readdir(temporary), await sockets()]).toEqual([
    true,
    [expect.anything()],
    [expect.anything()],
  ]);
  child.kill("SIGKILL");
  await eventually(() => !isAlive(pid));
  await eventually(async () => [...(await readdir(temporary)), ...(await sockets())].length === 0);
});

test("the shared server takes objects", async () => {
  const key = `s3-servers/${crypto.randomUUID()}`;
  await put(inject("s3"), key, "text");
  expect(await get(inject("s3"), key)).toBe("text");
});
