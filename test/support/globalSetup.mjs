// Plain JavaScript: jest imports set-up files natively, where Node 20 takes no TypeScript.
import { startReplicaSet } from '../../scripts/replicaSet.mjs';

/** The run's replica set; the tear-down is imported by the same process and finds it here. */
export let replicaSet;

/** One single-node replica set per jest run, for every project that asks: jest runs a set-up file once, however many projects name it. */
export default async function globalSetup() {
  replicaSet = await startReplicaSet({ args: ['--setParameter', 'enableTestCommands=1'] });
  process.env.TEST_MONGODB_URI = replicaSet.uri;
}
