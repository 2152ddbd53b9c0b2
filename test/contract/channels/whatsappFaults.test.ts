/** Driver whatsapp when its provider misbehaves. There is no idempotency key: what tells tries apart is what receipts name. */
import { BoundedChannel } from '../../../src/channels/bounded.ts';
import { whatsappDriver } from '../../../src/channels/whatsapp.ts';
import { graphError, phoneNumberId, token } from '../../support/cloudApi.ts';
import { config, message } from './conformance.ts';
import { describeWire } from './wire.ts';

describeWire('whatsapp', {
  open: (origin, given, clock, options) => {
    const fixed = { driver: 'whatsapp', name: 'whatsapp', address: 'whatsapp', from: phoneNumberId, token } as const;
    const settings = config({ ...fixed, url: `${origin}/v24.0`, ...given });
    return new BoundedChannel(settings, whatsappDriver(settings, clock, options), clock);
  },
  message: (n) => message(n, { channel: 'whatsapp', to: `+49151${String(n).padStart(8, '0')}` }),
  key: ({ json }) => String((json as Record<string, unknown> | undefined)?.['biz_opaque_callback_data']),
  answer: ({ key }) => ({
    body: JSON.stringify({ messaging_product: 'whatsapp', messages: [{ id: `wamid.${key}` }] }),
  }),
  answers: { busy: { ...graphError(130429), status: 429 }, broken: graphError(131000) },
  codes: { busy: 'rate_limited', broken: 'whatsapp_131000' },
});
