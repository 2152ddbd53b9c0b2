/** Driver webhook when a receiver misbehaves: to one address, and to each recipient's own. */
import { BoundedChannel } from '../../../src/channels/bounded.ts';
import { webhookDriver } from '../../../src/channels/webhook.ts';
import type { Channel } from '../../../src/domain/channelPorts.ts';
import type { ManualClock } from '../../support/clock.ts';
import { config, message } from './conformance.ts';
import { describeWire, type WireRig } from './wire.ts';

const token = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;

const rig: Omit<WireRig, 'open'> = {
  message,
  key: ({ headers }) => String(headers['webhook-id']),
  answer: ({ key }) => ({ id: `id of ${key}` }),
  answers: {
    busy: { status: 429, body: '{"error":"slow down"}' },
    broken: { status: 500, body: '{"error":"broken"}' },
  },
  codes: { busy: 'http_429', broken: 'http_500' },
};

describeWire('webhook', {
  ...rig,
  open: (url, given, clock, options) => {
    const settings = config({ driver: 'webhook', token, url, ...given });
    return new BoundedChannel(settings, webhookDriver(settings, clock, options), clock);
  },
});

describeWire('webhook to each recipient', {
  ...rig,
  open: (origin, given, clock, options): Channel => {
    const allowedHosts = ['127.0.0.1', 'localhost', 'provider.invalid'];
    const settings = config({ driver: 'webhook', token, address: 'url', allowedHosts, ...given });
    const channel = new BoundedChannel(settings, webhookDriver(settings, clock, options), clock);
    // a host that asked for a pause has it before anything goes there again, as from the pipelines
    const send: Channel['send'] = async (sent, ...rest) => {
      const message = { ...sent, to: `${origin}/hook` };
      const result = await channel.send(message, ...rest);
      if (result.kind !== 'retry' || result.code !== 'host_waits') return result;
      (clock as ManualClock).advance(result.retryAfterMs ?? 0);
      return channel.send(message, ...rest);
    };
    return Object.assign(Object.create(channel) as Channel, { send, close: () => channel.close() });
  },
});
