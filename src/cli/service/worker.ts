/** `worker`: the service itself. */
import { type Config, loadConfig } from '../../config.ts';
import { maskUri } from '../../configValues.ts';
import { isServiceError } from '../../domain/errors.ts';
import type { Logger } from '../../domain/systemPorts.ts';
import { connect } from '../../mongo/client.ts';
import { initDatabase, readCluster } from '../../mongo/collections.ts';
import { createLogger } from '../../telemetry/logger.ts';
import { runSupervisor } from '../../worker/supervisor.ts';
import type { Context } from '../context.ts';
import { located } from '../database.ts';

/** Runs until the signal is aborted; what comes back is the supervisor's exit code. Its log goes to stdout, as JSON lines. */
export async function worker(_params: object, { env, signal }: Context): Promise<number> {
  const config = loadConfig({ ...env });
  const logger = createLogger({ level: config.logLevel });
  for (const warning of config.warnings ?? []) logger.warn(warning);
  if (config.channels.length === 0)
    logger.warn('no channel is configured: set CHANNEL_<NAME>_DRIVER, or every campaign that sends will be refused');
  await prepare(config, logger);
  return signal.aborted ? 0 : runSupervisor(config, { logger, signal });
}

/**
 * Prepares a database that is empty, so that a first start needs no other command, and refuses what cannot work.
 * MongoDB out of reach is no reason to end: the members wait for it.
 */
async function prepare(config: Config, logger: Logger): Promise<void> {
  const { mongodbUri, mongodbDatabase, partitions } = config;
  try {
    const client = await connect(mongodbUri, { appName: 'communication-base start', maxPoolSize: 2 });
    try {
      const db = client.db(mongodbDatabase);
      const cluster = await readCluster(db).catch((error: unknown) => {
        if (isServiceError(error, 'not_initialised')) return undefined;
        throw error;
      });
      if (cluster?.partitions === partitions) return;
      // Refuses another count than the database has.
      const { changes, problems } = await initDatabase(db, { partitions });
      logger.info('database prepared', { database: mongodbDatabase, partitions, changes: changes.length });
      for (const problem of problems) logger.warn('database not prepared in full', { problem });
    } finally {
      await client.close();
    }
  } catch (error) {
    const failure = located(error, mongodbUri);
    if (isServiceError(failure) && failure.code !== 'database_unreachable' && failure.code !== 'internal')
      throw failure;
    if (!isServiceError(failure)) throw failure;
    logger.warn('MongoDB cannot be used yet; the members wait for it', {
      error: failure.message,
      uri: maskUri(mongodbUri),
    });
  }
}
