import { availableParallelism } from "node:os";
import type { SparedChildren, WarmChild, WarmChildren } from "./warm-children.ts";

/** Bounds what an analysis may leave behind in its process. */
const mostUses = 200;
const idleMs = 2_000;

/** More at a time only wait for a core, and hold memory meanwhile. */
export const mostKeptChildren = availableParallelism();

type Idle = { readonly child: WarmChild; readonly kind: string; readonly uses: number; readonly timer: NodeJS.Timeout };

/**
 * Children for many small calculations, since starting one takes longer than such a calculation: one that has answered
 * takes the next order of the same definition, and ends when none comes for a while. There are as many as cores, so that
 * one thread is enough for each.
 * @param forks where new ones come from; not disposed with them
 */
export function createKeptChildren(forks: SparedChildren): WarmChildren {
  const idle = new Set<Idle>();

  return {
    take(cores, definition = "") {
      const kind = `${cores} ${definition}`;
      const kept = [...idle].find((each) => each.kind === kind);
      if (kept === undefined) {
        // One of another definition makes room.
        const [other] = idle;
        if (other !== undefined && idle.size >= mostKeptChildren) retire(other);
        const child = (cores === undefined ? forks.takeSpare() : undefined) ?? forks.take(cores ?? 1);
        child.process.once("exit", () => {
          for (const each of idle) if (each.child === child) retire(each);
        });
        return lend(child, kind, 1);
      }
      clearTimeout(kept.timer);
      idle.delete(kept);
      return lend(kept.child, kind, kept.uses + 1);
    },
    async [Symbol.asyncDispose]() {
      for (const each of idle) retire(each);
    },
  };

  function lend(child: WarmChild, kind: string, uses: number): WarmChild {
    if (uses >= mostUses) return child;
    return {
      ...child,
      giveBack() {
        const kept: Idle = { child, kind, uses, timer: setTimeout(() => retire(kept), idleMs).unref() };
        idle.add(kept);
        child.process.unref();
      },
    };
  }

  function retire(kept: Idle): void {
    clearTimeout(kept.timer);
    if (idle.delete(kept)) kept.child.process.kill("SIGKILL");
  }
}
