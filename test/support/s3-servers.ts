import { spawn } from "node:child_process";
import { randomBytes, randomInt } from "node:crypto";
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { findSeaweedfs, findVersitygw } from "./s3-binaries.ts";

const host = "127.0.0.1";
const region = "us-east-1";
const bucket = "analysis";
const startLimitMs = 60_000;
const attempts = 5;

/**
 * Becomes the server and leaves a watcher beside it. A line on its pipe means that the server was seen to end; the end of
 * the pipe, that this process is gone, however it went: then the server goes too, and what it has left on the disk.
 */
const underWatch = `
server=$$
{ read -r _ || { kill -KILL "$server"; sleep 1; rm -rf "$0" $LEFTOVERS; }; } <&3 >/dev/null 2>&1 &
exec "$@" 3<&-
`;

export type S3Access = {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly bucket: string;
};

/** A server with an empty bucket, in a temporary folder. It never outlives this process, even one that is killed. */
export type S3Server = S3Access &
  AsyncDisposable & {
    /** Of the process that serves now. */
    readonly pid: () => number;
    /** By SIGKILL; what it has stored stays. Idempotent. Settles when the process is gone. */
    readonly kill: () => Promise<void>;
    /** At the same address, with what it had stored; kills it first, if need be. Settles when it takes objects again. */
    readonly restart: () => Promise<void>;
  };

/** A client without retries, which would hide a fault. */
export function s3ClientOf({ endpoint, accessKeyId, secretAccessKey }: S3Access): S3Client {
  return new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { accessKeyId, secretAccessKey },
  });
}

/** SeaweedFS: quick to get, and conditions on PutObject are atomic. Those on CompleteMultipartUpload are not. */
export async function startSeaweedfs(): Promise<S3Server> {
  const binary = await findSeaweedfs();
  const roles = ["s3", "master", "volume", "filer", "admin"];
  return await start("SeaweedFS", roles.length * 2, async ({ folder, ports, access }) => {
    const [data, config] = [join(folder, "data"), join(folder, "s3.json")];
    await mkdir(data);
    const credentials = [{ accessKey: access.accessKeyId, secretKey: access.secretAccessKey }];
    const identity = { name: "test", credentials, actions: ["Admin", "Read", "Write", "List", "Tagging"] };
    await writeFile(config, JSON.stringify({ identities: [identity] }), { mode: 0o600 });
    const named = roles.map((role, index) => ({ role, port: ports[index], grpc: ports[roles.length + index] }));
    return {
      command: [binary, "-logtostderr=true", "mini", `-dir=${data}`, `-ip=${host}`, `-ip.bind=${host}`]
        // A gRPC port that is not chosen is the other one plus 10,000, whoever has that.
        .concat(named.flatMap(({ role, port, grpc }) => [`-${role}.port=${port}`, `-${role}.port.grpc=${grpc}`]))
        .concat(`-s3.config=${config}`, `-bucket=${bucket}`, "-s3.port.iceberg=0", "-s3.port.lance=0")
        .concat("-webdav=false", "-admin.ui=false", "-master.telemetry=false")
        // Else the number of volumes follows from the free space of the disk, and on a small one there may be none.
        .concat("-master.volumeSizeLimitMB=64", "-volume.max=100"),
      env: {},
      leftovers: named.flatMap(({ role, port, grpc }) => [
        `/tmp/seaweedfs-${role}-${port}.sock`,
        `/tmp/seaweedfs-${role}-grpc-${grpc}.sock`,
      ]),
    };
  });
}

export type VersitygwOptions = {
  /** With 1, every condition is atomic. Without it, races have several winners. */
  readonly concurrency?: 1 | undefined;
  /** The bucket keeps all versions of an object. Default: false. */
  readonly versioning?: boolean;
};

/** versitygw on a folder. The file system of temporary files must have extended attributes. */
export async function startVersitygw({ concurrency, versioning }: VersitygwOptions = {}): Promise<S3Server> {
  const binary = await findVersitygw();
  return await start("versitygw", 1, async ({ folder, ports, access }) => {
    // It changes into the data folder: relative paths would be looked for there.
    const [data, versions] = [join(folder, "data"), join(folder, "versions")];
    await mkdir(data);
    await mkdir(versions);
    return {
      command: [binary, "--port", `${host}:${ports[0]}`, "--region", region, "--quiet", "posix"]
        .concat(concurrency === undefined ? [] : ["--concurrency", String(concurrency)])
        .concat(versioning ? ["--versioning-dir", versions] : [], data),
      env: { ROOT_ACCESS_KEY_ID: access.accessKeyId, ROOT_SECRET_ACCESS_KEY: access.secretAccessKey },
      leftovers: [],
      beforeFirstPut: (client, limit) => client.send(new CreateBucketCommand({ Bucket: bucket }), limit),
      async afterFirstPut(client, limit) {
        const enabled = { Bucket: bucket, VersioningConfiguration: { Status: "Enabled" } } as const;
        if (versioning) await client.send(new PutBucketVersioningCommand(enabled), limit);
      },
    };
  });
}

type World = { readonly folder: string; readonly ports: readonly number[]; readonly access: S3Access };

type Launch = {
  readonly command: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Files outside of the folder that a killed server leaves. Their paths have no spaces. */
  readonly leftovers: readonly string[];
  /** Both at the first start only. */
  readonly beforeFirstPut?: (client: S3Client, limit: Limit) => Promise<unknown>;
  readonly afterFirstPut?: (client: S3Client, limit: Limit) => Promise<unknown>;
};

type Limit = { readonly abortSignal: AbortSignal };

/** The first of the ports is the one of its S3 API. */
async function start(name: string, portCount: number, prepare: (world: World) => Promise<Launch>): Promise<S3Server> {
  for (let attempt = 1; ; attempt++) {
    const folder = await mkdtemp(join(tmpdir(), "s3-server-"));
    const ports = await freePorts(portCount);
    const access: S3Access = {
      endpoint: `http://${host}:${ports[0]}`,
      accessKeyId: randomBytes(10).toString("hex"),
      secretAccessKey: randomBytes(20).toString("hex"),
      bucket,
    };
    const launch = await prepare({ folder, ports, access });
    let running = await spawnServer(name, folder, launch);
    const dispose = async () => {
      await running.kill();
      for (const path of [folder, ...launch.leftovers]) await rm(path, { recursive: true, force: true, maxRetries: 5 });
    };
    try {
      await ready(running, access, launch);
    } catch (error) {
      await dispose();
      // Between choosing ports and listening on them, another process may be quicker.
      const lostRace = error instanceof Error && /not available on|address already in use/.test(error.message);
      if (lostRace && attempt < attempts) continue;
      throw error;
    }
    return {
      ...access,
      pid: () => running.pid,
      kill: () => running.kill(),
      async restart() {
        await running.kill();
        running = await spawnServer(name, folder, launch);
        await ready(running, access);
      },
      [Symbol.asyncDispose]: dispose,
    };
  }
}

/**
 * Ports that nobody has, below those that the kernel takes for outgoing connections: a server that is down for a moment
 * finds its own again.
 */
async function freePorts(count: number): Promise<readonly number[]> {
  const held = new Map<number, Server>();
  try {
    while (held.size < count) {
      const port = randomInt(15_000, 30_000);
      const server = createServer();
      const isFree = await new Promise<boolean>((settle) => {
        server.once("error", () => settle(false)).listen(port, host, () => settle(true));
      });
      if (isFree) held.set(port, server);
    }
    return [...held.keys()];
  } finally {
    await Promise.all([...held.values()].map((server) => new Promise((settle) => server.close(settle))));
  }
}

type Running = {
  readonly name: string;
  readonly pid: number;
  readonly isRunning: () => boolean;
  readonly kill: () => Promise<void>;
  /** The end of what it has written. */
  readonly lastWords: () => Promise<string>;
};

async function spawnServer(name: string, folder: string, { command, env, leftovers }: Launch): Promise<Running> {
  const logFile = join(folder, "log");
  const log = await open(logFile, "w");
  const child = spawn("/bin/sh", ["-c", underWatch, folder, ...command], {
    cwd: folder,
    stdio: ["ignore", log.fd, log.fd, "pipe"],
    detached: true,
    // Nothing else of this process's environment: both take settings and keys from it.
    env: {
      PATH: process.env["PATH"],
      HOME: folder,
      TMPDIR: folder,
      GOMEMLIMIT: "256MiB",
      LEFTOVERS: leftovers.join(" "),
      ...env,
    },
  });
  await log.close();
  const watcher = child.stdio[3];
  watcher?.on("error", () => undefined);
  const ended = new Promise<void>((settle) => {
    child.once("error", () => settle());
    child.once("exit", () => {
      if (watcher && "end" in watcher) watcher.end("ended\n");
      settle();
    });
  });
  return {
    name,
    pid: child.pid ?? 0,
    isRunning: () => child.pid !== undefined && child.exitCode === null && child.signalCode === null,
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
    lastWords: async () => (await readFile(logFile, "utf8")).slice(-2_000).trim(),
  };
}

/** Settles when an object was put. Health comes earlier than that. */
async function ready(server: Running, access: S3Access, steps: Partial<Launch> = {}): Promise<void> {
  const client = s3ClientOf(access);
  const object = { Bucket: bucket, Key: "ready" };
  const deadline = performance.now() + startLimitMs;
  let before = steps.beforeFirstPut;
  let fault: unknown;
  try {
    while (server.isRunning() && performance.now() < deadline) {
      try {
        const limit = { abortSignal: AbortSignal.timeout(10_000) };
        await before?.(client, limit);
        before = undefined;
        await client.send(new PutObjectCommand({ ...object, Body: "ready" }), limit);
        await client.send(new DeleteObjectCommand(object), limit);
        await steps.afterFirstPut?.(client, limit);
        return;
      } catch (error) {
        fault = error;
        await sleep(20);
      }
    }
  } finally {
    client.destroy();
  }
  const how = server.isRunning() ? `took no object within ${startLimitMs / 1000} s (${fault})` : "ended early";
  throw new Error(`${server.name} ${how}: ${await server.lastWords()}`);
}
