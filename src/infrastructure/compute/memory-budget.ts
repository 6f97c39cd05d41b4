import { OutOfMemory } from "../../domain/model/failure.ts";

/** Memory that the calculations of this process may use together. */
export type MemoryBudget = {
  readonly totalBytes: number;
  /**
   * Waits, first come first served, until the bytes are free; they are returned when disposed.
   * @throws OutOfMemory when they never can be
   */
  reserve(bytes: number, signal?: AbortSignal): Promise<Disposable & AsyncDisposable>;
};

export function createMemoryBudget(totalBytes: number): MemoryBudget {
  let free = totalBytes;
  const queue: { readonly bytes: number; readonly enter: () => void }[] = [];

  return {
    totalBytes,
    async reserve(bytes, signal) {
      if (bytes > totalBytes) {
        throw new OutOfMemory(
          `a calculation of ${bytes / 2 ** 20} MiB does not fit into the ${Math.floor(totalBytes / 2 ** 20)} MiB that this worker may use: raise WORKER_MEMORY_MIB or lower the definition's compute.memoryMiB`,
        );
      }
      signal?.throwIfAborted();
      if (queue.length > 0 || bytes > free) await turn(bytes, signal);
      else free -= bytes;
      let returned = false;
      const giveBack = () => {
        if (returned) return;
        returned = true;
        free += bytes;
        admit();
      };
      return { [Symbol.dispose]: giveBack, [Symbol.asyncDispose]: async () => giveBack() };
    },
  };

  function turn(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting = { bytes, enter: resolve };
      queue.push(waiting);
      signal?.addEventListener("abort", () => {
        const index = queue.indexOf(waiting);
        if (index < 0) return;
        queue.splice(index, 1);
        admit();
        reject(signal.reason);
      });
    });
  }

  function admit(): void {
    for (let next = queue[0]; next !== undefined && next.bytes <= free; next = queue[0]) {
      queue.shift();
      free -= next.bytes;
      next.enter();
    }
  }
}
