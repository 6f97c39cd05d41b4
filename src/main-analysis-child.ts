import { serveParent } from "./infrastructure/compute/analysis-child.ts";
import { importDefinition } from "./infrastructure/config/definition-modules.ts";
import { calculate } from "./usecase/calculation/calculate.ts";
import { warmUp } from "./usecase/calculation/warm-up.ts";

await serveParent({ calculate, warmUp, importDefinition }, process.argv.slice(2));
