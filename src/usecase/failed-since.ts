import type { RunSighting } from "./ports/output/run-orchestrator.ts";

/** Whether a date's last run failed, and nothing was published after that. */
export function failedSince(run: RunSighting | undefined, publishedAt: string | undefined): boolean {
  return run?.status === "failed" && (publishedAt === undefined || publishedAt < (run.closedAt ?? ""));
}
