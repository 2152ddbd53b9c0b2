import { replicaSet } from './globalSetup.mjs';

export default async function globalTeardown() {
  await replicaSet?.stop();
}
