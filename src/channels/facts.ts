/** What is known of a channel by its configuration alone; no driver and none of their libraries is loaded. */
import type { ChannelConfig } from '../config.ts';
import type { Channel, ChannelFacts } from '../domain/channelPorts.ts';

/** A subject alone says nothing, mail has no place for `body`, and SMS and WhatsApp none for `html`. */
export const needsOf = ({ driver }: ChannelConfig): Channel['needs'] => needs[driver] ?? ['text', 'html', 'body'];
const needs: Partial<Record<ChannelConfig['driver'], Channel['needs']>> = {
  smtp: ['text', 'html'],
  twilio: ['text'],
  whatsapp: ['text', 'body'],
};

/** Webhooks go to their recipients' own hosts where no address is set. */
export const hasManyHosts = ({ driver, url }: ChannelConfig): boolean => driver === 'webhook' && url === undefined;

/** What the rows of a channel settle: of one that writes mail its sender and headers, of SMS the number of parts. */
export const rowFactsOf = ({ driver, from, headers }: ChannelConfig): Pick<Channel, 'mail' | 'isSms'> => ({
  ...(driver === 'smtp' && from !== undefined ? { mail: { from, headers } } : {}),
  ...(driver === 'twilio' ? { isSms: true } : {}),
});

/** What the domain has to know of the channels, without opening any: for checks outside a worker. */
export function channelFacts(configs: readonly ChannelConfig[]): ReadonlyMap<string, ChannelFacts> {
  const facts = (config: ChannelConfig): ChannelFacts => {
    const { name, address, delivery, attempts, giveUpMs } = config;
    return { name, address, delivery, attempts, giveUpMs, needs: needsOf(config), ...rowFactsOf(config) };
  };
  return new Map(configs.map((config) => [config.name, facts(config)]));
}
