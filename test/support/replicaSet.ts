import { type MongodNode, type ReplicaSet, startReplicaSet } from '../../scripts/replicaSet.mjs';
import { waitFor } from './waitFor.ts';

export interface TestReplicaSet extends ReplicaSet {
  /** The node that takes writes now; waits for an election. */
  primary(): Promise<MongodNode>;
  secondaries(): Promise<MongodNode[]>;
  /** The primary steps down and stands aside for `seconds`; resolves with the new primary. */
  stepDown(seconds?: number): Promise<MongodNode>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * A replica set of a test's own, for faults the shared one must not suffer: real mongods that are killed, frozen
 * (`node.kill()`, `freeze()`, `thaw()`, `start()` again) or voted out. Fail points are on.
 */
export async function replicaSet({
  nodes = 3,
  args = [],
}: {
  nodes?: number;
  args?: string[];
} = {}): Promise<TestReplicaSet> {
  const set = await startReplicaSet({ nodes, args: ['--setParameter', 'enableTestCommands=1', ...args] });
  const withState = async (state: 'isWritablePrimary' | 'secondary'): Promise<MongodNode[]> => {
    const answers = await Promise.all(set.nodes.map(answerOf));
    return set.nodes.filter((_, index) => answers[index]?.[state] === true);
  };
  const primary = (): Promise<MongodNode> =>
    waitFor(async () => (await withState('isWritablePrimary'))[0], {
      what: 'a primary',
      timeoutMs: 30_000,
      intervalMs: 100,
    });
  return {
    ...set,
    primary,
    secondaries: () => withState('secondary'),
    async stepDown(seconds = 20) {
      const old = await primary();
      await old.admin({ replSetStepDown: seconds, secondaryCatchUpPeriodSecs: 10 });
      return waitFor(async () => (await withState('isWritablePrimary')).find((node) => node !== old), {
        what: 'another primary',
        timeoutMs: 30_000,
        intervalMs: 100,
      });
    },
    [Symbol.asyncDispose]: () => set.stop(),
  };
}

/** A frozen node accepts connections and never answers, so it gets a second. */
async function answerOf(node: MongodNode): Promise<Record<string, unknown>> {
  if (node.pid === undefined) return {};
  const silent = new Promise<Record<string, unknown>>((resolve) => {
    setTimeout(() => resolve({}), 1_000).unref();
  });
  return Promise.race([node.admin({ hello: 1 }).catch(() => ({})), silent]);
}
