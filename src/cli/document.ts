/** Campaign files: JSON, or MongoDB's Extended JSON where a value has no JSON form. */
import { readFile } from 'node:fs/promises';
import { type Fault, ServiceError } from '../domain/errors.ts';
import { parseExtendedJson } from '../mongo/values.ts';
import { safe } from './output.ts';

export interface CampaignFile {
  /** Undefined when the file holds no object at all. */
  document: Record<string, unknown> | undefined;
  /** What is wrong with the file itself; the document's own faults are for `checkCampaign`. */
  faults: Fault[];
}

/** ISO 8601 with a time zone: without one, the machine that submits would decide when people are written to. */
const isoInstant = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})$/;
const dateFields = ['startAt', 'endAt'] as const;

/** A plain object: no array, no BSON value, no date. */
export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  !('_bsontype' in value) &&
  !(value instanceof Date);

function reviveDates(document: Record<string, unknown>): Fault[] {
  const schedule = document['schedule'];
  if (!isRecord(schedule)) return [];
  const faults: Fault[] = [];
  for (const field of dateFields) {
    const value = schedule[field];
    if (typeof value !== 'string') continue;
    const time = isoInstant.test(value) ? Date.parse(value) : Number.NaN;
    if (Number.isNaN(time))
      faults.push({
        code: 'date_invalid',
        path: `schedule.${field}`,
        message: `was "${safe(value)}"; write an instant with its zone, such as "2026-01-05T09:00:00Z" or "2026-01-05T09:00:00+01:00"`,
      });
    else schedule[field] = new Date(time);
  }
  return faults;
}

/** Reads a campaign from its text: `{"$oid": …}`, `{"$date": …}` and the like become BSON, ISO strings in date fields dates. */
export function parseCampaign(text: string): CampaignFile {
  let parsed: unknown;
  try {
    parsed = parseExtendedJson(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { document: undefined, faults: [{ code: 'not_json', path: '', message: `is no JSON: ${safe(why)}` }] };
  }
  if (!isRecord(parsed))
    return {
      document: undefined,
      faults: [{ code: 'document_invalid', path: '', message: 'must be one JSON object: a campaign' }],
    };
  return { document: parsed, faults: reviveDates(parsed) };
}

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** The campaign in a file, or on stdin for "-". Throws ServiceError `usage` when it cannot be read. */
export async function readCampaignFile(file: string): Promise<CampaignFile> {
  let text: string;
  try {
    text = file === '-' ? await readStdin() : await readFile(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const why = code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a directory' : String(error);
    throw new ServiceError('usage', `cannot read ${file}: ${why}`);
  }
  return parseCampaign(text);
}
