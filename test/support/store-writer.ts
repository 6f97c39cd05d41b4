/* A process that races for keys of a store, or holds its lock until it is killed. */
import { openObjectIndex } from "../../src/infrastructure/store/file-object-index.ts";
import { openFileObjectStore } from "../../src/infrastructure/store/file-object-store.ts";

const [role = "", folder = "", name = ""] = process.argv.slice(2);

if (role === "hold") {
  const index = openObjectIndex(`${folder}/.store/index.sqlite`);
  await index.exclusively(async () => {
    process.stdout.write("holding\n");
    await new Promise((resolve) => setTimeout(resolve, 60_000));
  });
} else {
  const store = await openFileObjectStore(folder);
  const won: string[] = [];
  for (let round = 0; round < 25; round += 1) {
    const key = `race/${round}`;
    if (await store.put(key, { text: name }, { condition: { ifAbsent: true }, metadata: { name } })) won.push(key);
  }
  process.stdout.write(JSON.stringify(won));
}
