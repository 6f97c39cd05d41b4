import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Limits } from "../support/limits.ts";
import type { StoreAccess } from "./store-access.ts";
import type { Fault } from "./verdict.ts";

export type ToReaders =
  | { readonly type: "start"; readonly access: StoreAccess }
  | { readonly type: "watch"; readonly date: string }
  | { readonly type: "stop" };

export type FromReaders =
  | { readonly type: "ready" }
  | { readonly type: "fault"; readonly fault: Fault }
  | ({ readonly type: "stopped" } & Looks);

export type Looks = {
  readonly looks: number;
  /** Those in which Polars has opened the bytes. */
  readonly opened: number;
};

export type Readers = AsyncDisposable & {
  /** Where something is about to happen. */
  readonly watch: (date: string) => void;
  /** @throws when they have ended by themselves */
  readonly stop: () => Promise<Looks>;
};

const main = fileURLToPath(new URL("readers-main.ts", import.meta.url));
const limitMs = 30_000;

export async function startReaders(
  access: StoreAccess,
  { within }: Limits,
  env: NodeJS.ProcessEnv,
  onFault: (fault: Fault) => void,
): Promise<Readers> {
  const child = fork(main, { env, stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const say = (message: ToReaders) => void (child.connected && child.send(message, () => undefined));
  const exited = once(child, "exit");
  const heard = <T extends FromReaders["type"]>(type: T) =>
    new Promise<Extract<FromReaders, { type: T }>>((resolve, reject) => {
      child.on("message", (message: FromReaders) => {
        if (message.type === type) resolve(message as Extract<FromReaders, { type: T }>);
      });
      exited.then(([code, signal]) => reject(new Error(`the readers have ended with ${signal ?? code}`)), reject);
    });
  const dispose = async () => {
    child.kill("SIGKILL");
    await exited;
  };
  child.on("message", (message: FromReaders) => {
    if (message.type === "fault") onFault(message.fault);
  });
  const stopped = heard("stopped");
  stopped.catch(() => undefined);
  try {
    say({ type: "start", access });
    await within(limitMs, "the start of the readers", heard("ready"));
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    watch: (date) => say({ type: "watch", date }),
    async stop() {
      say({ type: "stop" });
      const { looks, opened } = await within(limitMs, "the end of the readers", stopped);
      return { looks, opened };
    },
    [Symbol.asyncDispose]: dispose,
  };
}
