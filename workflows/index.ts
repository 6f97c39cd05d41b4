export { backfill } from "./backfill.ts";
export { dailyAnalysis } from "./daily-analysis.ts";
export { runAnalysis } from "./run-analysis.ts";
export { sweep } from "./sweep.ts";
