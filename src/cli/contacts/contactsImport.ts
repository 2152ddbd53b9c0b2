/** Contacts of a file, judged and written: read, judge, write, with a bounded number of batches on their way. */
import { stat } from 'node:fs/promises';
import { type Column, unusedColumns } from '../../domain/contactFile.ts';
import type { IdSet } from '../../domain/idSet.ts';
import type { Written } from '../../mongo/contactsWriter.ts';
import { count, type Output, plural, safe, span } from '../output.ts';
import { silent, startProgress } from '../progress.ts';
import { type Batch, newIdSet, type Reject, type Row, readContacts } from './contactsFile.ts';
import { openRejects } from './rejects.ts';

export interface ImportParams {
  file: string;
  map: Record<string, unknown>;
  /** Path of the campaign file, or "-". */
  campaign: string;
  /** Path; written when all was read, or as far as it came when interrupted. */
  rejects?: string | undefined;
  out: Output;
  signal: AbortSignal;
  /** Writes one batch; absent: the rows are only judged. */
  write?: (documents: Record<string, unknown>[]) => Promise<Written>;
  onColumns?: (columns: readonly Column[]) => void;
  /** Called with the rows that can be used, batch by batch. */
  onRows?: ((rows: readonly Row[]) => void) | undefined;
}

export interface ImportReport {
  rows: number;
  inserted: number;
  updated: number;
  unchanged: number;
  rejected: number;
  /** The first ones. */
  rejects: readonly { line: number; reason: string }[];
  seconds: number;
  /** Columns that no message can say. */
  unused: string[];
  /** False when it was interrupted. */
  complete: boolean;
}

/** Batches on their way to the database. */
const mostInFlight = 3;

/** Throws what `readContacts` and the database throw; what was written by then stays, and is found when run again. */
export async function importContacts(params: ImportParams): Promise<{ report: ImportReport; ids: IdSet }> {
  const { file, campaign, map, out, signal, write, onColumns, onRows } = params;
  const begun = performance.now();
  const ids = newIdSet();
  await using rejects = await openRejects(params.rejects, [file, campaign]);
  const report = { rows: 0, inserted: 0, updated: 0, unchanged: 0, unused: [] as string[], complete: true };
  const progress = out.json ? silent : startProgress({ sink: out.notes, what: 'rows', total: await sizeOf(file) });
  const store = async ({ rows }: Batch): Promise<void> => {
    const written = await write?.(rows.map(({ document }) => document));
    if (written === undefined) return;
    report.inserted += written.inserted;
    report.updated += written.updated;
    report.unchanged += written.unchanged;
    const refused = written.refused.flatMap(({ index, message }): Reject[] => {
      const row = rows[index];
      return row ? [{ line: row.line, bytes: row.bytes, reason: `MongoDB refuses it: ${message}` }] : [];
    });
    await rejects.add(refused);
  };
  const lane = bounded(mostInFlight);
  try {
    const columns = (header: readonly Column[]): void => {
      report.unused = Object.keys(map).length > 0 ? [] : unusedColumns(header);
      onColumns?.(header);
    };
    for await (const batch of readContacts({ file, map, ids, signal, onColumns: columns })) {
      report.rows += batch.rows.length + batch.rejects.length;
      onRows?.(batch.rows);
      await rejects.add(batch.rejects);
      await lane.run(() => store(batch));
      progress.update({ rows: report.rows, bytes: batch.bytesRead });
    }
    await lane.idle();
  } catch (error) {
    if (!signal.aborted) throw error;
    report.complete = false;
  } finally {
    await lane.idle().catch(() => {});
    progress.stop();
  }
  await rejects.finish();
  const seconds = Math.round(performance.now() - begun) / 1000;
  return { report: { ...report, rejected: rejects.count, rejects: rejects.first, seconds }, ids };
}

/** At most so many at a time; `run` waits for room, and both throw the first error of those before. */
function bounded(most: number): { run(work: () => Promise<void>): Promise<void>; idle(): Promise<void> } {
  const running = new Set<Promise<void>>();
  let failure: { error: unknown } | undefined;
  const start = (work: () => Promise<void>): void => {
    const one: Promise<void> = work()
      .catch((error: unknown) => {
        failure ??= { error };
      })
      .finally(() => void running.delete(one));
    running.add(one);
  };
  const settle = (): void => {
    if (failure) throw failure.error;
  };
  return {
    async run(work) {
      while (running.size >= most) await Promise.race(running);
      settle();
      start(work);
    },
    async idle() {
      await Promise.all(running);
      settle();
    },
  };
}

/** A pipe has no size. */
async function sizeOf(file: string): Promise<{ bytes?: number }> {
  if (file === '-') return {};
  const found = await stat(file).catch(() => undefined);
  return found?.isFile() ? { bytes: found.size } : {};
}

/** What was read, left out and written, for people. */
export function describeImport(report: ImportReport, file: string, rejectsFile: string | undefined): string[] {
  const { rows, inserted, updated, unchanged, rejected, seconds } = report;
  const written = `${count(inserted)} inserted, ${count(updated)} updated, ${count(unchanged)} unchanged`;
  return [
    ...describeRejects(report, file, rejectsFile),
    `${plural(rows, 'row')} in ${span(seconds * 1000)}: ${written}, ${count(rejected)} left out`,
  ];
}

/** The same where nothing was written. */
export const describeCheck = (report: ImportReport, file: string, rejectsFile?: string): string[] => [
  ...describeRejects(report, file, rejectsFile),
  `${plural(report.rows, 'row')} in ${nameOf(file)}: ${count(report.rows - report.rejected)} can be used, ${count(report.rejected)} cannot`,
];

const nameOf = (file: string): string => safe(file === '-' ? 'stdin' : file);

function describeRejects(report: ImportReport, file: string, rejectsFile: string | undefined): string[] {
  const { rejected, rejects, unused } = report;
  const rest = rejected - rejects.length;
  const all = rejectsFile === undefined ? '--rejects FILE keeps them all' : `all are in ${safe(rejectsFile)}`;
  const columns = unused.map((column) => `"${safe(column)}"`).join(', ');
  return [
    ...rejects.map(({ line, reason }) => `${nameOf(file)}:${line}: ${safe(reason)}`),
    ...(rest > 0 ? [`… and ${plural(rest, 'more row')} left out; ${all}`] : []),
    ...(unused.length > 0 ? [`note: no message can say ${columns}: name it "attributes.<name>" if one should`] : []),
  ];
}
