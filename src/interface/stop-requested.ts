type StopSignal = "SIGINT" | "SIGTERM";

/** The process was asked to end, by Ctrl-C or by whoever supervises it. What it was doing has not failed. */
export class Stopped extends Error {
  override readonly name = "Stopped";
  /** As a shell reports a process that a signal ended. */
  readonly exitStatus: number;
  readonly details: Readonly<Record<string, unknown>>;

  /** @param left what is left undone, where that is not plain, and the same as data */
  constructor(signal: StopSignal, left?: { readonly sentence: string; readonly details: Stopped["details"] }) {
    super(`asked to end by ${signal}${left === undefined ? "" : `; ${left.sentence}`}`);
    this.exitStatus = signal === "SIGINT" ? 130 : 143;
    this.details = left?.details ?? {};
  }

  leaving(sentence: string, details: Stopped["details"]): Stopped {
    return new Stopped(this.exitStatus === 130 ? "SIGINT" : "SIGTERM", { sentence, details });
  }
}

/** Aborted with `Stopped` at the first SIGINT or SIGTERM; a second one has its usual effect. */
export function stopRequests(): AbortSignal {
  const stopping = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stopping.abort(new Stopped(name)));
  return stopping.signal;
}

/** Settles when the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
