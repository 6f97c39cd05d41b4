export { runAnalysis } from "./run-analysis.ts";
