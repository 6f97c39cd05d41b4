import { StoreUnavailable } from "../../src/domain/model/failure.ts";
import type { ObjectStore, ObjectSummary } from "../../src/infrastructure/store/object-store.ts";

/**
 * What can go wrong at one operation:
 *
 * - `crash before`, `crash after`: its process is gone, without or with the effect, and hears nothing.
 * - `reset`, `lost answer`: StoreUnavailable, without or with the effect.
 * - `late effect`: StoreUnavailable, and the effect comes when nobody waits for it any more.
 * - `refused`: a conditional write is turned down though nobody has won, as with status 409.
 * - `refused after effect`: an answer was lost, and the client's own second try was turned down because of the first.
 * - `held back`: the operation waits for long.
 * - `zombie`: as `held back`, and whoever waits for the process gives it up. It goes on.
 */
export const faults = [
  "crash before",
  "crash after",
  "reset",
  "lost answer",
  "late effect",
  "refused",
  "refused after effect",
  "held back",
  "zombie",
] as const;

export type Fault = (typeof faults)[number];

export type Operation = {
  readonly name: "head" | "text" | "put" | "delete" | "list";
  readonly key: string;
  readonly conditional: boolean;
};

/** The process that uses a store, as far as its store can see it. */
export type Process = {
  readonly faultAt: (operation: Operation) => Fault | undefined;
  readonly step: (delayMs?: number) => Promise<void>;
  readonly longMs: () => number;
  readonly crash: () => void;
  readonly abandon: () => void;
  readonly tell: (operation: Operation, fault: Fault | undefined, answer: unknown) => void;
};

/** A store at which each operation is a step of the process, and may fail as its process says. */
export function createFaultyStore(store: ObjectStore, process: Process): ObjectStore {
  async function perform<T>(operation: Operation, effect: () => Promise<T>): Promise<T> {
    const fault = process.faultAt(operation);
    const told = <A>(answer: A): A => {
      process.tell(operation, fault, answer);
      return answer;
    };
    const work = async (): Promise<T> => {
      try {
        return told(await effect());
      } catch (error) {
        told(String(error));
        throw error;
      }
    };
    if (fault === "zombie") process.abandon();
    await process.step(fault === "zombie" || fault === "held back" ? process.longMs() : 0);

    switch (fault) {
      case "crash before":
        told(undefined);
        return crashed(process);
      case "crash after":
        await work().catch(() => {});
        return crashed(process);
      case "reset":
        told(undefined);
        throw new StoreUnavailable("the connection was reset");
      case "lost answer":
        await work();
        throw new StoreUnavailable("the answer was lost");
      case "late effect":
        told(undefined);
        void process.step(process.longMs()).then(async () => {
          process.tell(operation, undefined, await effect().catch(String));
        });
        throw new StoreUnavailable("no answer in time");
      case "refused":
        return told(false as T);
      case "refused after effect":
        await effect();
        return told(false as T);
      case "held back":
      case "zombie":
      case undefined:
        return work();
    }
  }

  return {
    ...store,
    head: (key) => perform({ name: "head", key, conditional: false }, () => store.head(key)),
    text: (key) => perform({ name: "text", key, conditional: false }, () => store.text(key)),
    put: (key, body, options = {}) =>
      perform({ name: "put", key, conditional: options.condition !== undefined }, () => store.put(key, body, options)),
    delete: (key) => perform({ name: "delete", key, conditional: false }, () => store.delete(key)),
    async *list(prefix) {
      yield* await perform({ name: "list", key: prefix, conditional: false }, async () => {
        const found: ObjectSummary[] = [];
        for await (const each of store.list(prefix)) found.push(each);
        return found;
      });
    },
  };
}

/** The faults that an operation can meet at all. */
export function possible(fault: Fault, operation: Operation): boolean {
  if (fault === "refused" || fault === "refused after effect") return operation.conditional;
  const writes = operation.name === "put" || operation.name === "delete";
  return writes || !(fault === "lost answer" || fault === "late effect");
}

/** A process that is gone runs no `catch` and no `finally` either. */
function crashed(process: Process): Promise<never> {
  process.crash();
  return new Promise(() => {});
}
