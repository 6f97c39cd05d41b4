import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // These have a configuration of their own: one of their servers takes minutes to build.
    exclude: ["test/stores/**"],
    globalSetup: ["test/support/global-setup.ts"],
    environment: "node",
    pool: "forks",
    maxWorkers: 2,
    globals: false,
    // As the npm scripts have it: the hundreds of children that tests start take a third less time.
    env: { NODE_COMPILE_CACHE: "node_modules/.cache/node" },
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Node imports the sources as in production, so that the hooks of the dataset catalog see the definitions.
    experimental: { viteModuleRunner: false },
  },
});
