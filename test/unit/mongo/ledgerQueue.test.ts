import { expect, test } from '@jest/globals';
import { LedgerQueue } from '../../../src/mongo/ledgerQueue.ts';

function recorder() {
  const queue = new LedgerQueue();
  const order: string[] = [];
  const done = new Map<string, () => void>();
  const start = (name: string, label = name): Promise<string> =>
    queue.run(name, () => {
      order.push(label);
      return new Promise((resolve) => done.set(label, () => resolve(label)));
    });
  const finish = async (label: string): Promise<void> => {
    done.get(label)?.();
    for (let n = 0; n < 10; n++) await Promise.resolve();
  };
  return { queue, order, start, finish };
}

test('a round goes before the slices that wait, and never in the middle of one', async () => {
  const { queue, order, start, finish } = recorder();
  const all = [start('expand', 'e1'), start('expand', 'e2'), start('receipts'), start('round', 'r1'), start('beat')];
  await finish('');
  for (const label of ['r1', 'beat', 'e1']) await finish(label);
  expect(order).toEqual(['r1', 'beat', 'e1', 'e2']);
  all.push(start('round', 'r2'));
  for (const label of ['e2', 'r2', 'receipts']) await finish(label);
  expect(order).toEqual(['r1', 'beat', 'e1', 'e2', 'r2', 'receipts']);
  await queue.idle();
  expect(await Promise.all(all)).toEqual(['e1', 'e2', 'receipts', 'r1', 'beat', 'r2']);
});

test('rounds one after the other leave the slices their turn', async () => {
  const { queue, order, start, finish } = recorder();
  const rounds = (async () => {
    for (let n = 0; n < 6; n++) await start('round', `r${n}`);
  })();
  await finish('');
  const slices = [start('expand', 's1'), start('expand', 's2')];
  for (const label of ['r0', 'r1', 'r2', 'r3', 's1', 'r4', 'r5', 's2']) await finish(label);
  expect(order).toEqual(['r0', 'r1', 'r2', 'r3', 's1', 'r4', 'r5', 's2']);
  await Promise.all([rounds, ...slices]);
  await queue.idle();
});

test('what fails is told to its own caller, and the next goes on', async () => {
  const queue = new LedgerQueue();
  const failed = queue.run('round', () => Promise.reject(new Error('no')));
  const next = queue.run('round', async () => 1);
  await expect(failed).rejects.toThrow('no');
  expect(await next).toBe(1);
  await queue.idle();
});
