import { defineConfig } from "vitest/config";
import base from "./vitest.config.ts";

/** The stores against servers that `npm test` does without. */
export default defineConfig({
  ...base,
  test: {
    ...base.test,
    include: ["test/stores/**/*.test.ts"],
    exclude: [],
    testTimeout: 300_000,
    globalSetup: ["test/stores/global-setup.ts"],
  },
});
