/** Campaign files: JSON or YAML, with MongoDB's Extended JSON where a value has no form of its own; every fault has its place. */
import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { isDay } from '../../domain/contactFile.ts';
import type { Fault } from '../../domain/errors.ts';
import { ServiceError } from '../../domain/errors.ts';
import { isPlain } from '../../domain/plain.ts';
import { locate } from '../../domain/spots.ts';
import { type Position, textMap } from '../../domain/textPositions.ts';
import { childPath } from '../../domain/validationView.ts';
import { parseExtendedJson } from '../../mongo/values.ts';
import { safe } from '../output.ts';
import { readJson } from './campaignJson.ts';
import { formatOf, type ParsedText, type TextFault, type TextFormat } from './campaignText.ts';
import { readYaml } from './campaignYaml.ts';

/** A fault and where it stands in the file; for syntax also the line itself. */
export interface PlacedFault extends Fault, Position {
  excerpt?: { line: string; caret: string };
}

export interface CampaignFile {
  /** Undefined when the file holds no object at all. */
  document: Record<string, unknown> | undefined;
  /** What is wrong with the file itself; the document's own faults are for `checkCampaign`. */
  faults: PlacedFault[];
  /** Puts a fault of the document where its path leads to in the file: the named key, or the nearest one around it. */
  place(fault: Fault): PlacedFault;
}

/** ISO 8601 with a time zone: without one, the machine that submits would decide when people are written to. */
const isoInstant = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})$/;
const dateFields = ['startAt', 'endAt'] as const;
/** Bytes; MongoDB keeps documents of 16 MB at most, and JSON may be several times as long. */
const longestFile = 64_000_000;

/** MongoDB's own limit; far below what functions that call themselves can take. */
const mostLevels = 100;
const tooDeep: Fault = { code: 'document_invalid', path: '', message: 'is nested far deeper than any campaign' };

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
    const time = isoInstant.test(value) && isDay(value.slice(0, 10)) ? Date.parse(value) : Number.NaN;
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

const readers: Readonly<Record<TextFormat, (text: string) => ParsedText>> = { json: readJson, yaml: readYaml };

/** Reads a campaign from its text: `{"$oid": …}`, `{"$date": …}` and the like become BSON, ISO strings in date fields dates. */
export function parseCampaign(written: string, format: TextFormat = 'json'): CampaignFile {
  const text = written.replace(/^\uFEFF/, '');
  const map = textMap(text);
  const parsed = readers[format](text);
  const at = ({ code, message, at: offset, excerpt }: TextFault): PlacedFault => {
    const position = map.positionOf(offset);
    return { code, path: '', message, ...position, ...(excerpt ? { excerpt: map.excerptOf(position) } : {}) };
  };
  let spot: ReturnType<ParsedText['spot']> | undefined;
  const place = (fault: Fault): PlacedFault => {
    spot ??= parsed.spot();
    // A template is not in the file; what names it is.
    const path = fault.path.startsWith('template.') ? 'templateId' : fault.path;
    return { ...fault, ...map.positionOf(locate(spot, path)) };
  };
  const faults = parsed.faults.map(at);
  const none = (fault?: Fault): CampaignFile => ({
    document: undefined,
    faults: fault ? [...faults, place(fault)] : faults,
    place,
  });
  if (parsed.json === undefined) return none();
  const read = readExtended(parsed.json);
  if ('fault' in read) return none(read.fault);
  const { value } = read;
  if (isDeeper(value, mostLevels)) return none(tooDeep);
  if (!isRecord(value))
    return none({ code: 'document_invalid', path: '', message: 'must be one object: the fields of a campaign' });
  return { document: value, faults: [...faults, ...reviveDates(value).map(place)], place };
}

function readExtended(json: string): { value: unknown } | { fault: Fault } {
  try {
    return { value: parseExtendedJson(json) };
  } catch (error) {
    if (error instanceof RangeError) return { fault: tooDeep };
    const path = failingPath(JSON.parse(json) as unknown, '') ?? '';
    return { fault: { code: 'not_extended_json', path, message: `is no Extended JSON: ${safe(messageOf(error))}` } };
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const isDeeper = (value: unknown, levels: number): boolean =>
  (isPlain(value) || Array.isArray(value)) &&
  (levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1)));

/** Path of the innermost `{"$…": …}` that cannot be read. */
function failingPath(value: unknown, path: string): string | undefined {
  if (!isPlain(value) && !Array.isArray(value)) return undefined;
  for (const [key, inner] of Object.entries(value)) {
    const found = failingPath(inner, Array.isArray(value) ? `${path}[${key}]` : childPath(path, key));
    if (found !== undefined) return found;
  }
  if (!Object.keys(value).some((key) => key.startsWith('$'))) return undefined;
  try {
    parseExtendedJson(JSON.stringify(value));
    return undefined;
  } catch {
    return path;
  }
}

async function readAll(file: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of file === '-' ? process.stdin : createReadStream(file)) {
    chunks.push(chunk as Buffer);
    length += (chunk as Buffer).length;
    if (length > longestFile)
      throw new ServiceError(
        'usage',
        `${safe(file)} is longer than 64 MB: that is no campaign; contacts go with --contacts`,
      );
  }
  return Buffer.concat(chunks);
}

/** Why a file could not be opened, in words. Throws what is no error of the file system. */
export function unreadable(file: string, error: unknown): ServiceError {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (syscall === undefined) throw error;
  const known: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file',
    EISDIR: 'it is a directory',
    EACCES: 'it may not be read by this user',
  };
  return new ServiceError('usage', `cannot read ${safe(file)}: ${known[code ?? ''] ?? safe(messageOf(error))}`);
}

/** The campaign in a file, or on stdin for "-". Throws ServiceError `usage` when it cannot be read. */
export async function readCampaignFile(file: string): Promise<CampaignFile> {
  const bytes = await readAll(file).catch((error: unknown) => {
    throw unreadable(file, error);
  });
  const text = bytes.toString('utf8');
  const read = parseCampaign(text, formatOf(file, text.replace(/^\uFEFF/, '')));
  if (isUtf8(bytes)) return read;
  const map = textMap(text);
  const position = map.positionOf(text.indexOf('\uFFFD'));
  const message = 'is not UTF-8: save the file in that encoding';
  const fault = { code: 'not_utf8', path: '', message, ...position, excerpt: map.excerptOf(position) };
  return { document: undefined, faults: [fault], place: read.place };
}
