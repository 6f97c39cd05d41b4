import { setImmediate } from "node:timers/promises";
import type { Random } from "./random.ts";

export type Scheduler = {
  /** Holds the caller until it is chosen, and at least for so long on the virtual clock. */
  step(delayMs?: number): Promise<void>;
  /** Milliseconds since the start. */
  now(): number;
  /** Lets one step go at a time until nobody waits for one. */
  run(): Promise<void>;
};

/** Decides who goes next. Between two steps everything that can go on without another step does. */
export function createScheduler(random: Random): Scheduler {
  let clock = 0;
  const waiting: { readonly readyAt: number; readonly go: () => void }[] = [];

  return {
    step: (delayMs = 0) =>
      new Promise((resolve) => {
        waiting.push({ readyAt: clock + delayMs, go: resolve });
      }),

    now: () => clock,

    async run() {
      await setImmediate();
      while (waiting.length > 0) {
        clock = Math.max(clock + 1, Math.min(...waiting.map(({ readyAt }) => readyAt)));
        const ready = waiting.filter(({ readyAt }) => readyAt <= clock);
        const next = random.pick(ready);
        waiting.splice(waiting.indexOf(next), 1);
        next.go();
        // All promises are settled before the next turn of the loop: nothing in a simulated world waits for I/O.
        await setImmediate();
      }
    },
  };
}
