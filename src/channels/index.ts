/** Drivers by name behind the one `Channel` port. */
import type { ChannelConfig } from '../config.ts';
import { ServiceError } from '../domain/errors.ts';
import type { Channel, ChannelFacts, Clock, Logger } from '../domain/ports.ts';
import { BoundedChannel, mailOf, needsOf } from './bounded.ts';
import { ConsoleDriver, type WriteLine } from './console.ts';
import { FileDriver } from './file.ts';
import type { Driver } from './handover.ts';
import { HttpDriver } from './http.ts';
import { SmtpDriver } from './smtp.ts';

export type { ChannelConfig } from '../config.ts';

export interface ChannelDependencies {
  clock: Clock;
  logger: Logger;
  /** Where the console driver writes its lines, newline included. Default: standard output. */
  write?: (line: string) => void;
}

/** Done when the stream has taken the line: a slow reader slows the channel down and fills no memory. */
const toStdout: WriteLine = (line, done) => {
  process.stdout.write(line, done);
};

function consoleWriter(write: ChannelDependencies['write']): WriteLine {
  if (write === undefined) return toStdout;
  return (line, done) => {
    write(line);
    done();
  };
}

function createDriver(config: ChannelConfig, { clock, logger, write }: ChannelDependencies): Driver {
  switch (config.driver) {
    case 'http':
      return new HttpDriver(config, clock);
    case 'smtp':
      return new SmtpDriver(config, { clock, logger });
    case 'console':
      return new ConsoleDriver(clock, consoleWriter(write));
    case 'file': {
      if (config.url === undefined) {
        throw new ServiceError('config_invalid', `channel ${config.name}: driver file needs the path of a file`);
      }
      return new FileDriver(config.url, clock);
    }
  }
}

/** Opens nothing yet: connections and files come with the first message. Throws ServiceError `config_invalid`. */
export function createChannel(config: ChannelConfig, dependencies: ChannelDependencies): Channel {
  const channel = new BoundedChannel(config, createDriver(config, dependencies), dependencies.clock);
  if (config.redirect !== undefined || config.allow !== undefined) {
    dependencies.logger.warn('the channel is set up for a test stage: not every message reaches its recipient', {
      channel: config.name,
      redirect: config.redirect !== undefined,
      allowed: config.allow?.length,
    });
  }
  return channel;
}

/** All channels by name. Throws ServiceError `config_invalid`. */
export function createChannels(
  configs: readonly ChannelConfig[],
  dependencies: ChannelDependencies,
): ReadonlyMap<string, Channel> {
  return new Map(configs.map((config) => [config.name, createChannel(config, dependencies)]));
}

/** What the domain has to know of the channels, without opening any: for checks outside a worker. */
export function channelFacts(configs: readonly ChannelConfig[]): ReadonlyMap<string, ChannelFacts> {
  const facts = (config: ChannelConfig): ChannelFacts => {
    const { name, address, delivery, attempts, giveUpMs } = config;
    return { name, address, delivery, attempts, giveUpMs, needs: needsOf(config), ...mailOf(config) };
  };
  return new Map(configs.map((config) => [config.name, facts(config)]));
}
