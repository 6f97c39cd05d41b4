import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    environment: "node",
    pool: "forks",
    maxWorkers: 2,
    globals: false,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
