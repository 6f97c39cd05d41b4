import { resultRepositoryContract } from "../contract/result-repository.contract.ts";
import { createWorld, fakeRepository } from "./ports.ts";

resultRepositoryContract("in memory", async () => {
  const world = createWorld();
  return {
    repository: fakeRepository(world),
    async stage(runId) {
      const key = `_staging/${runId}/result.parquet`;
      world.staged.add(key);
      return key;
    },
    read: async (path) => path,
  };
});
