import { simpleParser } from 'mailparser';
import { createChannel } from '../../../src/channels/index.ts';
import type { ChannelConfig } from '../../../src/config.ts';
import type { Channel, Logger } from '../../../src/domain/ports.ts';
import { systemClock } from '../../../src/worker/systemClock.ts';
import type { Arrived } from '../../support/smtp.ts';
import { config } from './conformance.ts';

export const quiet: Logger = { error() {}, warn() {}, info() {}, debug() {} };
export const from = 'Łukasz at Compass <news@example.org>';

/** A channel to a server of this machine, without TLS. */
export const channelAt = (port: number, given: Partial<ChannelConfig> = {}): Channel =>
  createChannel(
    config({ driver: 'smtp', url: `smtp://127.0.0.1:${port}?tls=none`, from, timeoutMs: 30_000, ...given }),
    {
      clock: systemClock,
      logger: quiet,
    },
  );

export const parse = ({ raw }: Arrived) => simpleParser(Buffer.from(raw, 'latin1'));
