import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/global-setup.ts"],
    environment: "node",
    pool: "forks",
    maxWorkers: 2,
    globals: false,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Node imports the sources as in production, so that the hooks of the dataset catalog see the definitions.
    experimental: { viteModuleRunner: false },
  },
});
