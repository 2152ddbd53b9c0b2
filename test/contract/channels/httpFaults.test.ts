/** Driver http when its provider misbehaves. */
import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { BoundedChannel } from '../../../src/channels/bounded.ts';
import { httpDriver } from '../../../src/channels/http.ts';
import { config, message } from './conformance.ts';
import { outcomeTable } from './faults.ts';
import { describeWire } from './wire.ts';

const codes = { busy: 'http_429', broken: 'http_500' };

describeWire('http', {
  open: (url, given, clock, options) => {
    const settings = config({ driver: 'http', url, ...given });
    return new BoundedChannel(settings, httpDriver(settings, clock, options), clock);
  },
  message,
  key: ({ headers }) => String(headers['idempotency-key']),
  answer: ({ key }) => ({ id: `id of ${key}` }),
  answers: {
    busy: { status: 429, body: '{"error":"slow down"}' },
    broken: { status: 500, body: '{"error":"broken"}' },
  },
  codes,
});

it('is what docs/channels.md says', () => {
  const docs = readFileSync(new URL('../../../docs/channels.md', import.meta.url), 'utf8');
  expect(docs).toContain(outcomeTable(codes));
});
