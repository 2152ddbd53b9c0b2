import { expect, test } from '@jest/globals';
import { replicaSet } from '../support/replicaSet.ts';

test('a three-node set elects another primary after a step-down and after a kill, and a killed node comes back', async () => {
  await using set = await replicaSet({ nodes: 3 });
  const first = await set.primary();
  const second = await set.stepDown();
  expect(second.host).not.toBe(first.host);
  await second.kill();
  const third = await set.primary();
  expect(third.host).not.toBe(second.host);
  await second.start();
  expect(second.pid).toBeGreaterThan(0);
});
