/** Turns whatever was passed to a log call into plain, bounded JSON without contact data. Never throws. */

const maxText = 8192;
const maxEntries = 100;
const maxDepth = 6;

/** Fields that hold contact data or secrets wherever they appear. Ids stay: they are how a line is found again. */
const hiddenFields = new Set([
  'address',
  'addresses',
  'authorization',
  'body',
  'contact',
  'content',
  'email',
  'hashkey',
  'headers',
  'html',
  'mongodburi',
  'password',
  'phone',
  'redirect',
  'subject',
  'text',
  'to',
  'token',
  'whatsapp',
]);

/** Texts of errors quote what they fail on: credentials of a URI, mail addresses. Bounded, so that no text is slow to search. */
export function scrubText(text: string): string {
  const cut = text.length > maxText ? `${text.slice(0, maxText)}… (${text.length} characters)` : text;
  if (!cut.includes('@')) return cut;
  return cut
    .replace(/:\/\/[^\s/@]{1,512}@/g, '://***@')
    .replace(/[^\s@"'`<>()[\]{},;:=/*]{1,64}@[^\s@"'`<>()[\]{},;:=/]{1,255}/g, '***@***');
}

/** By its tag too: what a thread threw arrives as a likeness of an Error, and may be of another realm. */
const isError = (value: object): value is Error =>
  value instanceof Error || Object.prototype.toString.call(value) === '[object Error]';

function scrubError(error: Error, depth: number): Record<string, unknown> {
  const { code, codeName, errorLabels, cause } = error as Error & Record<string, unknown>;
  const plain: Record<string, unknown> = { name: error.name, message: scrubText(String(error.message)) };
  if (code !== undefined) plain['code'] = scrub(code, depth + 1);
  if (codeName !== undefined) plain['codeName'] = scrub(codeName, depth + 1);
  if (Array.isArray(errorLabels)) plain['errorLabels'] = scrub(errorLabels, depth + 1);
  if (cause !== undefined) plain['cause'] = scrub(cause, depth + 1);
  if (typeof error.stack === 'string') plain['stack'] = scrubText(error.stack);
  return plain;
}

/** BSON values as one reads them in a shell. */
function scrubBson(value: { _bsontype: unknown }): unknown {
  if (value._bsontype === 'ObjectId') return (value as unknown as { toHexString(): string }).toHexString();
  if (value._bsontype === 'Binary') return '(binary)';
  return String(value);
}

function scrubObject(value: object, depth: number): unknown {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  if (isError(value)) return depth > maxDepth ? String(value.name) : scrubError(value, depth);
  if ('_bsontype' in value) return scrubBson(value);
  if (ArrayBuffer.isView(value)) return `(${value.byteLength} bytes)`;
  if (depth > maxDepth) return '(nested too deep)';
  if (value instanceof Map) return scrubObject(Object.fromEntries(value), depth);
  const list = value instanceof Set ? [...value] : value;
  if (Array.isArray(list)) {
    const shown = list.slice(0, maxEntries).map((entry) => scrub(entry, depth + 1));
    return list.length > maxEntries ? [...shown, `… (${list.length} entries)`] : shown;
  }
  return scrubFields(list as Record<string, unknown>, depth + 1);
}

function scrub(value: unknown, depth: number): unknown {
  try {
    if (typeof value === 'string') return scrubText(value);
    if (typeof value === 'bigint') return value.toString();
    if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
    if (typeof value === 'object' && value !== null) return scrubObject(value, depth);
    return typeof value === 'boolean' || value === null ? value : undefined;
  } catch (error) {
    return `(not readable: ${error instanceof Error ? error.name : 'unknown'})`;
  }
}

/** They name documents and are kept as they are, even when their writer chose something with an "@". */
const idFields = new Set(['campaignId', 'conversationId', 'messageId', 'templateId', 'member']);

/** The fields of a log line. */
export function scrubFields(fields: Record<string, unknown>, depth = 0): Record<string, unknown> {
  const plain: Record<string, unknown> = {};
  for (const key of Object.keys(fields).slice(0, maxEntries)) {
    if (key === '__proto__') continue;
    const value = fieldOf(fields, key);
    if (hiddenFields.has(key.toLowerCase())) plain[key] = '(hidden)';
    else plain[key] = idFields.has(key) && typeof value === 'string' ? value.slice(0, maxText) : scrub(value, depth);
  }
  return plain;
}

/** A getter may throw. */
function fieldOf(fields: Record<string, unknown>, key: string): unknown {
  try {
    return fields[key];
  } catch {
    return '(not readable)';
  }
}
