import { objectStoreContract } from "../contract/object-store.contract.ts";
import { createMemoryObjectStore } from "./memory-object-store.ts";

objectStoreContract("memory", async () => createMemoryObjectStore());
