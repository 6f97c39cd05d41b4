export { dailyAnalysis } from "./daily-analysis.ts";
export { backfill } from "./backfill.ts";
export { runAnalysis } from "./run-analysis.ts";
export { sweep } from "./sweep.ts";
