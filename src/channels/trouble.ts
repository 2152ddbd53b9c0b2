/** What stops a whole channel, not one message: login, certificate, sender. */
import type { SendResult } from '../domain/channelPorts.ts';
import type { Clock, Logger } from '../domain/systemPorts.ts';

/** What an operator has to change does not change within a second. */
export const troubleMs = 60_000;

/** What an operator has to mend, whatever the driver: login, certificate, account, sender, address for receipts. */
export const troubleCodes: ReadonlySet<string> = new Set([
  'login_failed',
  'tls_failed',
  'account_blocked',
  'sender_refused',
  'callback_refused',
]);

/** Nobody's message is at fault: it waits, and no attempt is counted. */
export const trouble = (code: string, message: string, retryAfterMs = troubleMs): SendResult => ({
  kind: 'retry',
  code,
  message,
  retryAfterMs,
  counts: false,
});

const everyMs = 60_000;

export type TroubleLog = (code: string, message: string) => void;

/** Every message of the channel meets the same trouble: one line a minute and code says so. */
export function troubleLog(channel: string, clock: Pick<Clock, 'monotonic'>, logger: Logger): TroubleLog {
  const told = new Map<string, number>();
  return (code, message) => {
    const now = clock.monotonic();
    if (now - (told.get(code) ?? Number.NEGATIVE_INFINITY) < everyMs) return;
    told.set(code, now);
    logger.warn('the provider refuses this channel, not the message: what it refuses waits', {
      channel,
      code,
      message,
    });
  };
}
