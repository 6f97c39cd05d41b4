import { writeFile } from "node:fs/promises";
import { manifestJsonSchema } from "../src/infrastructure/repository/manifest-schema.ts";

await writeFile("docs/manifest.schema.json", `${JSON.stringify(manifestJsonSchema(), undefined, 2)}\n`);
