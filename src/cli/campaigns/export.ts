/** `export CAMPAIGN`: its conversations or its messages, streamed as CSV or JSON lines. The only file that knows csv-stringify. */
import { stringify } from 'csv-stringify/sync';
import { type Exported, exportColumns, exportRow } from '../../domain/exportCells.ts';
import { conversationRange } from '../../domain/ids.ts';
import type { Id } from '../../domain/model.ts';
import { pagesOf } from '../../mongo/exportPages.ts';
import { extendedJson } from '../../mongo/values.ts';
import type { Context } from '../context.ts';
import { type Database, withDatabase } from '../database.ts';
import { findCampaignId, noCampaign } from '../findCampaign.ts';
import { type Output, plural, safe, span } from '../output.ts';
import { type Progress, silent, startProgress } from '../progress.ts';
import { ownerOnly, WholeFile } from '../wholeFile.ts';

export type ExportFormat = 'csv' | 'jsonl';

export interface ExportParams {
  campaign: string;
  messages?: boolean;
  conversations?: boolean;
  format?: ExportFormat;
  /** Path; stdout when absent or "-". */
  out?: string;
  keepFormulas?: boolean;
}

type Document = Record<string, unknown>;
type Sink = (text: string) => Promise<void>;

/** 130 when it was interrupted. A reader that goes away early (`| head`) has what it wanted: 0. */
export async function exportCampaign(params: ExportParams, context: Context): Promise<number> {
  const { out, signal } = context;
  const { out: path, ...toStdout } = params;
  if (path === '-') return exportCampaign(toStdout, context);
  await using file = path === undefined ? undefined : await WholeFile.open(path, '--out', ownerOnly);
  return await withDatabase(context, async (database): Promise<number> => {
    const { id, total } = await find(database, params.campaign);
    const kind: Exported = params.messages ? 'Message' : 'Conversation';
    const what = params.messages ? 'messages' : 'conversations';
    const begun = performance.now();
    const progress = progressOf(params, what, params.messages ? undefined : total, out);
    const collection = database.db.collection<Document>(params.messages ? 'messages' : 'conversation_states');
    const format = formatter(kind, formatOf(params, out), params);
    const pages = pagesOf(collection, conversationRange(id), { signal, fields: format.fields });
    const stopped = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    let rows = 0;
    try {
      const sink: Sink = (text) => file?.write(text) ?? Promise.race([out.data(text), stopped]);
      rows = await write(pages, format, sink, progress);
      if (!signal.aborted) await file?.finish();
    } catch (error) {
      if (!isReaderGone(error)) throw error;
      return 0;
    } finally {
      progress.stop();
    }
    if (signal.aborted) {
      out.note('interrupted: the export is not whole');
      return 130;
    }
    const seconds = Math.round(performance.now() - begun) / 1000;
    if (path !== undefined) out.value({ campaign: id, [what]: rows, file: path, seconds });
    out.note(
      `${plural(rows, params.messages ? 'message' : 'conversation')} in ${span(seconds * 1000)}${path === undefined ? '' : `: ${safe(path)}`}`,
    );
    return 0;
  });
}

/** By its document, or by its run when that was deleted. */
async function find({ in: stored }: Database, typed: string): Promise<{ id: Id; total: number | undefined }> {
  const _id = await findCampaignId(stored, typed);
  if (_id === undefined) throw noCampaign(typed);
  const only = { projection: { metrics: 1 } };
  const found = (await stored.campaigns.findOne({ _id }, only)) ?? (await stored.runs.findOne({ _id }, only));
  return { id: _id, total: found?.metrics?.total };
}

function formatOf({ format, out: file }: ExportParams, out: Output): ExportFormat {
  if (format !== undefined) return format;
  if (file !== undefined) return /\.(jsonl|ndjson|json)$/i.test(file) ? 'jsonl' : 'csv';
  return out.json ? 'jsonl' : 'csv';
}

interface Formatter {
  /** All that is needed; everything when empty. */
  fields: string[];
  head: string;
  page(documents: readonly Document[]): string;
}

function formatter(kind: Exported, format: ExportFormat, { keepFormulas = false }: ExportParams): Formatter {
  if (format === 'jsonl')
    return {
      fields: [],
      head: '',
      page: (documents) => documents.map((document) => `${extendedJson(document)}\n`).join(''),
    };
  const columns = exportColumns(kind);
  // RFC 4180 ends lines with CRLF; the library quotes a lone LF or CR only when told.
  const csv = (rows: string[][]): string => stringify(rows, { record_delimiter: '\r\n', quoted_match: /[\r\n]/ });
  return {
    fields: [...new Set(columns.map(({ field }) => field))],
    head: csv([columns.map(({ name }) => name)]),
    page: (documents) => csv(documents.map((document) => exportRow(columns, document, { keepFormulas }))),
  };
}

/** One page at a time: the next is read when the reader took the last. */
async function write(
  pages: AsyncIterable<Document[]>,
  { head, page }: Formatter,
  sink: Sink,
  progress: Progress,
): Promise<number> {
  const figures = { rows: 0, bytes: 0 };
  if (head !== '') await sink(head);
  for await (const documents of pages) {
    const text = page(documents);
    await sink(text);
    figures.rows += documents.length;
    figures.bytes += Buffer.byteLength(text);
    progress.update(figures);
  }
  return figures.rows;
}

/** Nothing is drawn between rows on one terminal. */
function progressOf({ out: file }: ExportParams, what: string, total: number | undefined, out: Output): Progress {
  if ((file === undefined && out.isTerminal) || out.json) return silent;
  return startProgress({ sink: out.notes, what, ...(total ? { total: { rows: total } } : {}) });
}

const isReaderGone = (error: unknown): boolean =>
  ['EPIPE', 'ERR_STREAM_DESTROYED'].includes(String((error as NodeJS.ErrnoException).code));
