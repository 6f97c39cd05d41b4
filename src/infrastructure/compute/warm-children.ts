import { type ChildProcess, fork } from "node:child_process";
import { readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Crashed } from "../../domain/model/failure.ts";
import { scratchOwner } from "../scratch-name.ts";
import { childEnvironment } from "./child-environment.ts";
import { lastWords } from "./child-last-words.ts";
import type { ChildMessage } from "./child-protocol.ts";

/** A child that is ready for its order, or about to be. */
export type WarmChild = {
  readonly process: ChildProcess;
  /** Resolves when it can take the order, and also when the child has ended: its owner sees that by itself. */
  readonly ready: Promise<void>;
  /** The end of what the child wrote to standard error. */
  errorText(): string;
  /** Takes the child back for another order, after an answer. Where it is absent the child ends with its calculation. */
  giveBack?(): void;
};

export type WarmChildrenOptions = {
  /** The module that a child runs. */
  readonly main: string;
  /** How many are kept warm ahead of need; 0 for a process that calculates once. */
  readonly spares: number;
  /** Files of definitions that a spare loads ahead. */
  readonly definitions: readonly string[];
  readonly env: NodeJS.ProcessEnv;
};

/** Keeps children forked ahead, so that a calculation does not wait for their start of about 150 ms. One child, one use. */
export type WarmChildren = AsyncDisposable & {
  /**
   * @param cores threads of the engine; a number other than the default needs a fresh child
   * @param definition file of the definition that the child is for
   */
  take(cores?: number, definition?: string): WarmChild;
};

export type SparedChildren = WarmChildren & {
  /** One that was forked ahead, for many calculations: its successor comes a while later. */
  takeSpare(): WarmChild | undefined;
};

const keptErrorBytes = 16_384;
const refillDelayMs = 300;
/** A short backfill is over by then, and has not shared its cores with the start of a child that it does not need. */
const longRefillDelayMs = 2_000;

export function createWarmChildren({ main, spares, definitions, env }: WarmChildrenOptions): SparedChildren {
  const waiting: WarmChild[] = [];
  const alive = new Set<ChildProcess>();
  let closed = false;
  refill();

  return {
    take(cores) {
      const taken = (cores === undefined ? waiting.shift() : undefined) ?? start(cores, []);
      if (waiting.length < spares) refillLater(taken);
      return taken;
    },
    takeSpare() {
      const taken = waiting.shift();
      if (taken !== undefined) setTimeout(refill, longRefillDelayMs).unref();
      return taken;
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      const ended = [...alive];
      await Promise.all(ended.map(end));
      await removeScratchOf(ended.map(({ pid }) => pid));
    },
  };

  function refill(): void {
    while (!closed && waiting.length < spares) {
      const child = start(undefined, definitions);
      waiting.push(child);
      child.process.once("exit", () => {
        const index = waiting.indexOf(child);
        if (index >= 0) waiting.splice(index, 1);
      });
    }
  }

  /**
   * A new spare takes a core for its start. Where another one is ready it waits, so that the end of this run, its
   * publication, is not held up.
   */
  function refillLater(taken: WarmChild): void {
    taken.process.once("exit", () => setTimeout(refill, waiting.length > 0 ? refillDelayMs : 0).unref());
  }

  function start(cores: number | undefined, ahead: readonly string[]): WarmChild {
    const child = fork(main, [...ahead], {
      env: childEnvironment(env, cores),
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      execArgv: [],
    });
    alive.add(child);
    child.once("exit", () => alive.delete(child));
    child.once("error", () => alive.delete(child));
    child.unref();
    child.channel?.unref();
    let errorText = "";
    child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      errorText = (errorText + chunk).slice(-keptErrorBytes);
    });
    const ready = new Promise<void>((resolve) => {
      const onMessage = (message: ChildMessage) => {
        if (message.kind === "ready") resolve();
      };
      child.once("message", onMessage);
      child.once("exit", () => resolve());
      child.once("error", () => resolve());
    });
    return { process: child, ready, errorText: () => errorText };
  }
}

/** How long the child takes to get warm, in ms. @throws Crashed with its own words when it does not */
export async function timeWarmUp(child: WarmChild): Promise<number> {
  const started = performance.now();
  child.process.ref();
  await child.ready;
  if (child.process.exitCode === null && child.process.signalCode === null)
    return Math.round(performance.now() - started);
  throw new Crashed(`the engine cannot be started: ${lastWords(child.errorText())}`);
}

/** A child that is killed while it warms up cannot remove its folder itself. */
async function removeScratchOf(pids: readonly (number | undefined)[]): Promise<void> {
  if (pids.length === 0) return;
  const names = (await readdir(tmpdir())).filter((name) => {
    const owner = scratchOwner(name);
    return owner !== undefined && pids.includes(owner);
  });
  await Promise.all(names.map((name) => rm(join(tmpdir(), name), { recursive: true, force: true })));
}

function end(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once("exit", () => resolve());
    child.ref();
    child.kill("SIGKILL");
  });
}
