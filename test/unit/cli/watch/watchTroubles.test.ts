import { expect, test } from '@jest/globals';
import { Troubles } from '../../../../src/cli/watch/watchTroubles.ts';
import { sample } from './watchSamples.ts';

const of = (reasons: Record<string, number>): Troubles => {
  const troubles = new Troubles();
  troubles.count({ ...sample().metrics, reasons });
  return troubles;
};
const row = (reason: string) => ({ _id: 'spring:a/1', reason, error: { code: 'http_422', message: 'no' } }) as never;

test('a reason is looked for until its message was seen', () => {
  const troubles = of({ provider_rejected: 2, none: 0 });
  expect(troubles.unseen).toBe(true);
  troubles.failed([row('provider_rejected')]);
  expect(troubles.unseen).toBe(false);
  expect(troubles.list(false)).toMatchObject([{ code: 'provider_rejected', count: 2, message: 'http_422: no' }]);
});

test('one that no failed row has, as of skipped ones, is looked for a few times and no more; another is, then', () => {
  const troubles = of({ suppressed: 5 });
  let looks = 0;
  for (; troubles.unseen && looks < 100; looks++) troubles.failed([]);
  expect(looks).toBe(3);
  expect(troubles.list(false)).toMatchObject([{ code: 'suppressed', message: 'the address must not be written to' }]);
  troubles.count({ ...sample().metrics, reasons: { suppressed: 6, provider_rejected: 1 } });
  expect(troubles.unseen).toBe(true);
  troubles.failed([row('provider_rejected')]);
  expect(troubles.unseen).toBe(false);
});
