import { readFile } from "node:fs/promises";
import pidusage from "pidusage";
import { type AnalysisFailure, Crashed, failureOf, OutOfMemory, TimedOut } from "../../domain/model/failure.ts";
import { lastWords } from "./child-last-words.ts";
import type { ChildMessage, ChildOrder, ChildResult } from "./child-protocol.ts";
import type { WarmChild } from "./warm-children.ts";

export type Limits = { readonly memoryBytes: number; readonly timeLimitMs: number };

const watchEveryMs = 50;

/**
 * Gives the child its order and waits for the answer, within the limits. The child is gone when this settles, or given
 * back where it has a giver, has succeeded and is still small.
 * @param what for messages: the dataset and date
 * @throws OutOfMemory, TimedOut, Crashed, what the calculation failed with, or the signal's reason
 */
export async function supervise(
  child: WarmChild,
  order: ChildOrder,
  limits: Limits,
  what: string,
  signal?: AbortSignal,
): Promise<ChildResult & { readonly peakMemoryBytes: number }> {
  const answering = answerOf(child);
  const ended = endOf(child);
  let mayGoOn = false;
  let verdict: Error | undefined;
  let peakBytes = 0;
  const kill = (reason: Error) => {
    verdict ??= reason;
    child.process.kill("SIGKILL");
  };
  const onAbort = () => kill(signal?.reason instanceof Error ? signal.reason : new Error("aborted"));
  signal?.addEventListener("abort", onAbort, { once: true });
  if (signal?.aborted) onAbort();
  const timer = setTimeout(
    () => kill(new TimedOut(`${what} ran past its time limit of ${limits.timeLimitMs / 1000} s`)),
    limits.timeLimitMs,
  );
  const watching = watchMemory(child, (bytes) => {
    peakBytes = Math.max(peakBytes, bytes);
    if (bytes > limits.memoryBytes) {
      kill(
        new OutOfMemory(
          `${what} needs more than its memory limit of ${mebibytes(limits.memoryBytes)}, it was at ${mebibytes(bytes)}`,
        ),
      );
    }
  });
  try {
    child.process.ref();
    await child.ready;
    child.process.send(order, () => {});
    const answer = await Promise.race([answering.answer, ended]);
    if (verdict !== undefined) throw verdict;
    if (answer === undefined || answer.kind === "ready") throw explainEnd(child, what);
    if (answer.kind === "failed") throw failureOf(answer.code, answer.message, answer.details);
    await watching.look();
    mayGoOn = verdict === undefined && peakBytes < limits.memoryBytes / 2;
    return { ...answer.result, peakMemoryBytes: peakBytes };
  } finally {
    clearTimeout(timer);
    watching.stop();
    signal?.removeEventListener("abort", onAbort);
    answering.stop();
    if (mayGoOn && child.giveBack !== undefined) child.giveBack();
    else {
      child.process.kill("SIGKILL");
      await ended;
    }
  }
}

function answerOf({ process: child }: WarmChild): {
  readonly answer: Promise<ChildMessage>;
  readonly stop: () => void;
} {
  const { promise: answer, resolve } = Promise.withResolvers<ChildMessage>();
  const onMessage = (message: ChildMessage) => {
    if (message.kind !== "ready") resolve(message);
  };
  child.on("message", onMessage);
  return { answer, stop: () => child.off("message", onMessage) };
}

const ends = new WeakMap<WarmChild["process"], Promise<undefined>>();

/** One promise for each process: one that is kept is asked many times. */
function endOf({ process: child }: WarmChild): Promise<undefined> {
  const known = ends.get(child);
  if (known !== undefined) return known;
  const end = new Promise<undefined>((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return resolve(undefined);
    child.once("exit", () => resolve(undefined));
    child.once("error", () => resolve(undefined));
  });
  ends.set(child, end);
  return end;
}

function watchMemory(
  { process: { pid } }: WarmChild,
  onBytes: (bytes: number) => void,
): { readonly look: () => Promise<void>; readonly stop: () => void } {
  let looking = false;
  const look = async () => {
    if (looking || pid === undefined) return;
    looking = true;
    onBytes(await residentBytes(pid).catch(() => 0));
    looking = false;
  };
  const timer = setInterval(look, watchEveryMs);
  return { look, stop: () => clearInterval(timer) };
}

/**
 * Memory that only the process's end gives back. Linux tells by a small file, in which a mapped input does not count: its
 * pages are the cache's. Elsewhere a library asks the system's tools, ten times slower, and it does count.
 */
async function residentBytes(pid: number): Promise<number> {
  if (process.platform !== "linux") return (await pidusage(pid)).memory;
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const kibibytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0);
  return (kibibytes("RssAnon") + kibibytes("RssShmem")) * 1024;
}

/** The child ended without a word and nobody here ended it. */
function explainEnd(child: WarmChild, what: string): AnalysisFailure {
  const { signalCode, exitCode } = child.process;
  const text = child.errorText();
  if (/memory allocation of \d+ bytes failed|JavaScript heap out of memory/.test(text)) {
    return new OutOfMemory(`${what} ran out of memory: ${lastWords(text)}`);
  }
  if (signalCode === "SIGKILL")
    return new OutOfMemory(`${what} was killed by the system, which does so when memory is short`);
  const how = signalCode === null ? `ended with status ${exitCode}` : `was ended by ${signalCode}`;
  return new Crashed(`${what} crashed: the calculation ${how}${text === "" ? "" : `: ${lastWords(text)}`}`);
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 1024 / 1024)} MiB`;
}
