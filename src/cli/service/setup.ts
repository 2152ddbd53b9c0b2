/** `init` and `config`: what is there before anything runs. */
import { describeConfig, loadConfig } from '../../config.ts';
import { initDatabase } from '../../mongo/collections.ts';
import type { Context, ExitCode } from '../context.ts';
import { withDatabase } from '../database.ts';

/** Makes collections, indexes and partitions; 1 when a right was missing, with what is left to do. */
export const init = (_params: object, context: Context): Promise<ExitCode> =>
  withDatabase(context, async ({ config, db }) => {
    const { out } = context;
    const report = await initDatabase(db, { partitions: config.partitions });
    out.value({ database: config.mongodbDatabase, ...report });
    for (const change of report.changes) out.line(`made ${change}`);
    for (const problem of report.problems) out.line(out.color.yellow(`not done: ${problem}`));
    const state = report.changes.length === 0 && report.problems.length === 0 ? 'was ready already' : 'is ready';
    if (report.problems.length === 0)
      out.line(out.color.green(`database ${config.mongodbDatabase} ${state}: ${report.partitions} partitions`));
    return report.problems.length === 0 ? 0 : 1;
  });

/** Prints every variable in force, where it came from, and what is probably not meant. */
export async function showConfig(_params: object, { env, out }: Context): Promise<ExitCode> {
  const config = loadConfig({ ...env }, { requireUri: false });
  const rows = describeConfig(config);
  const warnings = config.warnings ?? [];
  out.value({ variables: rows, warnings });
  out.table(
    ['variable', 'value', 'from'],
    rows.map(({ variable, value, source }) => [
      variable,
      value === '' ? out.color.dim('-') : value,
      source === 'default' ? out.color.dim(source) : source,
    ]),
  );
  for (const warning of warnings) out.line(out.color.yellow(`warning: ${warning}`));
  if (config.mongodbUri === '')
    out.line(out.color.yellow('MONGODB_URI is not set: every command that needs a database will refuse.'));
  return 0;
}
