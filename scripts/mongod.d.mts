/** Path of a mongod that runs here; found or fetched. Throws with every way that was tried when none worked. */
export function findMongod(): Promise<string>;
