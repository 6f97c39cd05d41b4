/** One run at a time for a dataset and date: its id in the orchestrator, and in its web address. */
export function workflowIdOf(dataset: string, date: string): string {
  return `analysis/${dataset}/${date}`;
}

/** Where runs are found by dataset and date. Both are keywords; ISO dates sort as text. */
export const runAttributes = { dataset: "AnalysisDataset", date: "AnalysisDate" } as const;
