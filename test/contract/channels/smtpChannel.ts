import { simpleParser } from 'mailparser';
import { BoundedChannel } from '../../../src/channels/bounded.ts';
import { SmtpDriver } from '../../../src/channels/smtp.ts';
import type { ChannelConfig } from '../../../src/config.ts';
import type { Channel } from '../../../src/domain/channelPorts.ts';
import type { Logger } from '../../../src/domain/systemPorts.ts';
import { systemClock } from '../../../src/worker/systemClock.ts';
import type { Arrived } from '../../support/smtp.ts';
import { config } from './conformance.ts';

export const quiet: Logger = { error() {}, warn() {}, info() {}, debug() {} };
export const from = 'Łukasz at Compass <news@example.org>';

/** A channel to a server of this machine, without TLS. */
export function channelAt(port: number, given: Partial<ChannelConfig> = {}): Channel {
  const url = `smtp://127.0.0.1:${port}?tls=none`;
  const settings = config({ driver: 'smtp', url, from, timeoutMs: 30_000, ...given });
  return new BoundedChannel(settings, new SmtpDriver(settings, { clock: systemClock, logger: quiet }), systemClock);
}

export const parse = ({ raw }: Arrived) => simpleParser(Buffer.from(raw, 'latin1'));
