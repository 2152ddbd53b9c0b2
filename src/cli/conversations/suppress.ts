/** `suppress`: nobody writes to an address any more, or again. */
import { normalAddress, suppressionId } from '../../domain/addresses.ts';
import { ServiceError } from '../../domain/errors.ts';
import type { Suppression } from '../../domain/model.ts';
import { checkHashKey } from '../../mongo/hashKey.ts';
import { MongoSuppressions } from '../../mongo/suppressions.ts';
import { addressBook } from '../../worker/addressBook.ts';
import type { Context, ExitCode } from '../context.ts';
import { type Database, withDatabase } from '../database.ts';
import { safe } from '../output.ts';

export interface SuppressParams {
  address: string;
  channel?: string[];
  topic: string;
  lift?: boolean;
}

/** Channels whose addresses are of that kind, unless they are named: those of other members need not be configured here. */
function channelsOf({ channel, address }: SuppressParams, { config }: Database): string[] {
  if (channel !== undefined && channel.length > 0) return channel;
  const isMail = address.includes('@');
  const fitting = config.channels.filter(({ address: field }) => field !== 'url' && (field === 'email') === isMail);
  if (fitting.length > 0) return fitting.map(({ name }) => name);
  const known = config.channels.map(({ name }) => name).join(', ') || 'none';
  throw new ServiceError(
    'usage',
    `no channel for ${isMail ? 'mail' : 'phone'} is configured here (known: ${safe(known)}); name it with --channel`,
  );
}

/** Exit code 1 when there is nothing to lift. */
export function suppress(params: SuppressParams, context: Context): Promise<ExitCode> {
  const { address, topic, lift = false } = params;
  if (address.trim() === '')
    throw new ServiceError('usage', 'the address is empty; it must be a mail address or a phone number');
  return withDatabase(context, async (database): Promise<ExitCode> => {
    const { out } = context;
    const channels = channelsOf(params, database);
    await checkHashKey(database.db, database.config.hashKey);
    const book = addressBook(database.config.hashKey);
    const hashes = book.hashes(normalAddress(address));
    if (lift)
      return await liftAll(
        channels.flatMap((name) => hashes.map((hash) => suppressionId(name, topic, hash))),
        params,
        database,
        context,
      );
    const ids = channels.map((name) => suppressionId(name, topic, hashes[0] ?? ''));
    const suppression = (_id: string): Suppression => ({ _id, reason: 'manual', at: new Date() });
    await new MongoSuppressions(database).write(ids.map((id) => ({ kind: 'add', suppression: suppression(id) })));
    out.value({ suppressed: ids });
    out.line(`${safe(address)} is not written to any more by ${channels.map(safe).join(', ')}${onTopic(topic)}`);
    return 0;
  });
}

async function liftAll(
  ids: readonly string[],
  { address, topic }: SuppressParams,
  { in: { suppressions } }: Database,
  { out }: Context,
): Promise<ExitCode> {
  const found = await suppressions.find({ _id: { $in: [...ids] } }).toArray();
  await suppressions.deleteMany({ _id: { $in: found.map(({ _id }) => _id) } });
  out.value({ lifted: found });
  const reasons = [...new Set(found.map(({ reason }) => reason))].join(', ');
  out.line(
    found.length > 0
      ? `${safe(address)} may be written to again${onTopic(topic)} (was: ${reasons})`
      : `${safe(address)} was not suppressed${onTopic(topic)}`,
  );
  return found.length > 0 ? 0 : 1;
}

const onTopic = (topic: string): string => (topic === '*' ? '' : ` about ${safe(topic)}`);
