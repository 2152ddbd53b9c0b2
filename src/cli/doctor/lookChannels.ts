/** Each channel that is set up, asked whether its provider lets it in. Nothing is sent. */
import { createChannel } from '../../channels/index.ts';
import type { ChannelConfig } from '../../config.ts';
import type { ChannelCheck } from '../../domain/channelPorts.ts';
import type { Logger } from '../../domain/systemPorts.ts';
import { systemClock } from '../../worker/systemClock.ts';
import { judgeChannel, longestLookMs } from './judgeChannels.ts';
import type { Clean, Look } from './runChecks.ts';

const silent: Logger = { error() {}, warn() {}, info() {}, debug() {} };

async function ask(config: ChannelConfig, signal: AbortSignal): Promise<ChannelCheck> {
  const channel = await createChannel(config, { clock: systemClock, logger: silent });
  try {
    return (await channel.check?.(signal)) ?? { kind: 'unknown', found: 'its driver has no way to look' };
  } finally {
    // its connections end by themselves; nothing was sent that had to be waited for
    void channel.close().catch(() => {});
  }
}

export const channelLooks = (configs: readonly ChannelConfig[], clean: Clean): Look[] =>
  configs.map((config) => ({
    group: 'channels',
    check: config.name,
    limitMs: Math.min(longestLookMs, config.timeoutMs),
    async run(signal) {
      const check = await ask(config, signal);
      return [judgeChannel(config, { ...check, found: clean(check.found) })];
    },
  }));
