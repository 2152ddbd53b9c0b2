import type { ChannelConfig } from '../config.ts';
import type { OutboundMessage, SendResult } from '../domain/channelPorts.ts';
import { smsLength } from '../domain/smsSegments.ts';
import type { Driver, Handover } from './handover.ts';

/** The result of a message that is refused before anything leaves; undefined: nothing is wrong with it. */
type Check = (message: OutboundMessage) => SendResult | undefined;

/** Behind driver http anything may be, an exchange with numbers of its own too. */
const checksNumbers: ReadonlySet<ChannelConfig['driver']> = new Set(['twilio', 'whatsapp']);
const sendsSms: ReadonlySet<ChannelConfig['driver']> = new Set(['http', 'twilio']);

const refused = (code: string, message: string): SendResult => ({ kind: 'rejected', code, message });

/** An impossible number is told without the number: errors are read by more people than rows are. */
const numberCheck =
  (isPossible: (text: string) => boolean): Check =>
  ({ to }) =>
    isPossible(to) ? undefined : refused('address_invalid', 'the recipient is no possible telephone number');

/** Source of the lengths: domain/smsSegments.ts. */
const segmentCheck =
  (most: number): Check =>
  ({ content }) => {
    if (content.text === undefined) return undefined;
    const { segments, encoding, foreign } = smsLength(content.text);
    if (segments <= most) return undefined;
    const why = foreign.length === 0 ? encoding : `${encoding} because of ${foreign.join(' ')}`;
    return refused('too_many_segments', `${segments} segments (${why}), at most ${most} are allowed`);
  };

async function checksOf({ driver, address, maxSegments }: ChannelConfig): Promise<Check[]> {
  // an address of WhatsApp is a number, whatever the field
  if (address !== 'phone' && driver !== 'twilio' && driver !== 'whatsapp') return [];
  const checks: Check[] = [];
  if (checksNumbers.has(driver)) {
    // its metadata are two megabytes of memory
    const { isPossibleNumber } = await import('./phoneNumbers.ts');
    checks.push(numberCheck(isPossibleNumber));
  }
  if (maxSegments !== undefined && sendsSms.has(driver)) checks.push(segmentCheck(maxSegments));
  return checks;
}

/** What is refused costs no connection, and nothing of it leaves. */
class CheckedDriver implements Driver {
  readonly #driver: Driver;
  readonly #checks: readonly Check[];
  readonly check?: NonNullable<Driver['check']>;

  constructor(driver: Driver, checks: readonly Check[]) {
    this.#driver = driver;
    this.#checks = checks;
    if (driver.check) this.check = driver.check.bind(driver);
  }

  start(handover: Handover): void {
    for (const check of this.#checks) {
      const result = check(handover.message);
      if (result !== undefined) {
        handover.settle(result);
        return;
      }
    }
    this.#driver.start(handover);
  }

  close(): Promise<void> {
    return this.#driver.close();
  }
}

/** The driver of a channel that reaches telephones, with what is asked of numbers and lengths; any other as it is. */
export async function checked(driver: Driver, config: ChannelConfig): Promise<Driver> {
  const checks = await checksOf(config);
  return checks.length === 0 ? driver : new CheckedDriver(driver, checks);
}
