/** Who is served first where runs wait, as Temporal counts: 1 before 5, and 3 is what a run has that says nothing. */
export type RunPriority = { readonly priorityKey: number };

export const runPriorities = {
  due: { priorityKey: 2 },
  late: { priorityKey: 4 },
  backfill: { priorityKey: 5 },
} as const satisfies Record<string, RunPriority>;
