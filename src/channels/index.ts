/** Drivers by name behind the one `Channel` port. */
import type { ChannelConfig } from '../config.ts';
import type { Channel } from '../domain/channelPorts.ts';
import { ServiceError } from '../domain/errors.ts';
import type { Clock, Logger } from '../domain/systemPorts.ts';
import { BoundedChannel } from './bounded.ts';
import { checked } from './checked.ts';
import { ConsoleDriver, type WriteLine } from './console.ts';
import { FileDriver } from './file.ts';
import type { Driver } from './handover.ts';

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

async function createDriver(config: ChannelConfig, { clock, logger, write }: ChannelDependencies): Promise<Driver> {
  switch (config.driver) {
    // each with what it speaks: a worker that has none of HTTP holds no client for it
    case 'http': {
      const { httpDriver } = await import('./http.ts');
      return httpDriver(config, clock, { logger });
    }
    case 'twilio': {
      const { twilioDriver } = await import('./twilio.ts');
      return twilioDriver(config, clock, { logger });
    }
    case 'whatsapp': {
      const { whatsappDriver } = await import('./whatsapp.ts');
      return whatsappDriver(config, clock, { logger });
    }
    case 'webhook': {
      const { webhookDriver } = await import('./webhook.ts');
      return webhookDriver(config, clock, { logger });
    }
    case 'smtp': {
      // with libraries as large as a third of the worker
      const { SmtpDriver } = await import('./smtp.ts');
      return new SmtpDriver(config, { clock, logger });
    }
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
export async function createChannel(config: ChannelConfig, dependencies: ChannelDependencies): Promise<Channel> {
  const driver = await checked(await createDriver(config, dependencies), config);
  const channel = new BoundedChannel(config, driver, dependencies.clock);
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
export async function createChannels(
  configs: readonly ChannelConfig[],
  dependencies: ChannelDependencies,
): Promise<ReadonlyMap<string, Channel>> {
  const channels = await Promise.all(configs.map((config) => createChannel(config, dependencies)));
  return new Map(channels.map((channel) => [channel.name, channel]));
}
