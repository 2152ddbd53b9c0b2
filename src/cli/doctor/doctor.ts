/** `doctor`: what a newcomer gets wrong, found before it is met, and how to mend it. Reads only; sends nothing. */
import { type Config, readConfig } from '../../config.ts';
import { type Reached, type ReachFault, reachMongo } from '../../mongo/reach.ts';
import type { MongoClient } from '../../mongo/values.ts';
import type { Context, ExitCode } from '../context.ts';
import { showResults } from './doctorText.ts';
import { judgeReach } from './judgeReach.ts';
import { judgeSettings } from './judgeSettings.ts';
import { channelLooks } from './lookChannels.ts';
import { databaseLooks } from './lookDatabase.ts';
import { type Clean, type Look, runLook } from './runChecks.ts';
import { cleanerOf } from './secrets.ts';
import { countOf, groups, notChecked, type Result, worstFirst } from './verdict.ts';

const patienceMs = 5_000;
/** A server that hangs is not waited for. */
const closeMs = 1_000;

/** 0 with no failure, whatever is warned of; 1 with one. Takes up to a lease where a worker is silent, and ten seconds more. */
export async function doctor(_params: object, { env, out }: Context): Promise<ExitCode> {
  if (out.tty) out.note(out.noteColor.dim('looking at settings, MongoDB, workers and channels …'));
  const { config, faults } = readConfig({ ...env });
  const clean = cleanerOf(config);
  const sound = config.channels.filter(({ name }) => !isAtFault(`CHANNEL_${name.toUpperCase()}_`, faults));
  const unsound = config.channels.filter((channel) => !sound.includes(channel));
  const results = [
    ...judgeSettings(config, faults),
    ...unsound.map(
      ({ name }): Result => ({ group: 'channels', check: name, ...notChecked('because its settings are wrong') }),
    ),
    ...(await Promise.all([ofDatabase(config, faults, clean), runAll(channelLooks(sound, clean), clean)])).flat(),
  ];
  const counts = countOf(results);
  out.value({ ok: counts.failure === 0, counts, checks: worstFirst(results) });
  showResults(results, out);
  return counts.failure === 0 ? 0 : 1;
}

const isAtFault = (start: string, faults: readonly string[]): boolean =>
  faults.some((fault) => fault.startsWith(start));

const runAll = async (looks: readonly Look[], clean: Clean): Promise<Result[]> =>
  (await Promise.all(looks.map((look) => runLook(look, clean)))).flat();

async function ofDatabase(config: Config, faults: readonly string[], clean: Clean): Promise<Result[]> {
  if (config.mongodbUri === '') return restOf(['mongodb'], 'because MONGODB_URI cannot be used');
  const reached = await reachMongo(config.mongodbUri, {
    appName: 'communication-base doctor',
    database: config.mongodbDatabase,
    patienceMs,
  });
  if ('fault' in reached) return ofFault(reached.fault, config, clean);
  try {
    return await runAll(looksOf(config, faults, reached), clean);
  } finally {
    await closed(reached.client);
  }
}

const looksOf = (
  config: Config,
  faults: readonly string[],
  { client, hello }: Extract<Reached, { client: MongoClient }>,
): Look[] =>
  databaseLooks({
    config,
    hello,
    db: client.db(config.mongodbDatabase),
    partitionsUnknown: isAtFault('PARTITIONS', faults),
    now: Date.now,
  });

function ofFault(fault: ReachFault, config: Config, clean: Clean): Result[] {
  const cleaned = 'message' in fault ? { ...fault, message: clean(fault.message) } : fault;
  const context = {
    database: config.mongodbDatabase,
    patienceSeconds: patienceMs / 1000,
    isSrv: config.mongodbUri.startsWith('mongodb+srv:'),
  };
  return [...judgeReach(cleaned, context), ...restOf([], 'because MongoDB cannot be worked with')];
}

/** All that needs a database, and what is named beside it. */
const restOf = (also: readonly Result['group'][], because: string): Result[] =>
  groups
    .filter((group) => also.includes(group) || ['rights', 'preparation', 'workers', 'campaigns'].includes(group))
    .map((group) => ({ group, check: 'all', ...notChecked(because) }));

async function closed(client: MongoClient): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, closeMs);
  });
  await Promise.race([client.close().catch(() => {}), limit]);
  clearTimeout(timer);
}
