/**
 * Local time: the offsets of a zone of the tz database, and the instants of its local times. All times are ms; a local
 * time (`wall`) is the ms since the epoch that a clock on the wall would show were it UTC's.
 *
 * Offsets come from Intl alone. The transitions that a Temporal polyfill tells are not good enough: it looks for one every 60
 * days, and passes over two that lie closer, as around Ramadan in Africa/Casablanca (fullcalendar/temporal-polyfill#73).
 */

export const dayMs = 86_400_000;
/** Offsets are looked up for so many days at once. */
const chunkMs = 128 * dayMs;
const stepMs = 4 * dayMs;
/** Chunks a zone keeps: more than twenty years. */
const keptChunks = 64;
/** Names that are kept, of zones and of what is none: contacts may bear anything. */
const keptNames = 4096;
/** Between these Intl is asked; what lies outside has the offset of the border. */
const earliest = Date.UTC(101, 0, 1);
const latest = 8.64e15 - 2 * dayMs;

/** A stretch of time with one offset. */
interface Stretch {
  from: number;
  until: number;
  /** Local time minus UTC. */
  offset: number;
}

interface Chunk {
  first: Stretch;
  rest: readonly Stretch[];
}

/** A zone of the tz database; see `zoneNamed`. Looking an offset up takes some ten ns once its chunk is known, half a ms before. */
export class Zone {
  /** The name as Intl writes it. */
  readonly id: string;
  private readonly chunks = new Map<number, Chunk>();
  private last: Stretch = { from: 0, until: 0, offset: 0 };

  constructor(id: string) {
    this.id = id;
  }

  /** Local time minus UTC at an instant. */
  offsetAt(at: number): number {
    const { last } = this;
    return at >= last.from && at < last.until ? last.offset : this.stretchAt(at).offset;
  }

  /** What the clock on the wall shows at an instant. */
  wallAt(at: number): number {
    return at + this.offsetAt(at);
  }

  /** The instant of a local time; one that is skipped moves forward by the gap, one that comes twice is the first (RFC 5545, 3.3.5). */
  instantOf(wall: number): number {
    const before = this.offsetAt(wall - dayMs);
    return this.exactly(wall, before) ?? wall - before;
  }

  /** The instant from which on the clock no longer shows less than `wall`: as `instantOf`, but the begin of the gap for one that is skipped. */
  reached(wall: number): number {
    const before = this.offsetAt(wall - dayMs);
    const after = this.offsetAt(wall + dayMs);
    const inGap = (): number => firstWith((at) => this.offsetAt(at) === after, wall - after, wall - before);
    return this.exactly(wall, before) ?? inGap();
  }

  /** How long the gap is in which a local time lies; 0 for one that exists. */
  gapAt(wall: number): number {
    const before = this.offsetAt(wall - dayMs);
    return this.exactly(wall, before) === undefined ? this.offsetAt(wall + dayMs) - before : 0;
  }

  /** The first instant with this local time, if there is one; `before` is the offset a day earlier. A day is longer than any offset. */
  private exactly(wall: number, before: number): number | undefined {
    const after = this.offsetAt(wall + dayMs);
    if (before === after || this.offsetAt(wall - before) === before) return wall - before;
    return this.offsetAt(wall - after) === after ? wall - after : undefined;
  }

  private stretchAt(at: number): Stretch {
    const index = Math.floor(at / chunkMs);
    let chunk = this.chunks.get(index);
    if (chunk === undefined) {
      if (this.chunks.size >= keptChunks) this.chunks.clear();
      chunk = chunkOf(this.id, index * chunkMs);
      this.chunks.set(index, chunk);
    }
    this.last = chunk.rest.findLast(({ from }) => from <= at) ?? chunk.first;
    return this.last;
  }
}

/** Offsets are compared in steps of four days: no two changes since 1970 lie closer than seven (Asia/Gaza, America/Recife). The formatter takes some 50 KB and is not kept. */
function chunkOf(id: string, from: number): Chunk {
  const offset = offsets(id);
  let stretch: Stretch = { from, until: from + chunkMs, offset: offset(from) };
  const chunk = { first: stretch, rest: [] as Stretch[] };
  for (let at = from + stepMs; at <= from + chunkMs; at += stepMs) {
    if (offset(at) === stretch.offset) continue;
    const change = firstWith((each) => offset(each) !== stretch.offset, at - stepMs, at);
    stretch.until = change;
    stretch = { from: change, until: from + chunkMs, offset: offset(change) };
    chunk.rest.push(stretch);
  }
  return chunk;
}

/** The first full second in `(low, high]` of which `test` is true; it is of `high`. */
function firstWith(test: (at: number) => boolean, low: number, high: number): number {
  let [no, yes] = [low / 1000, high / 1000];
  while (yes - no > 1) {
    const middle = Math.floor((no + yes) / 2);
    if (test(middle * 1000)) yes = middle;
    else no = middle;
  }
  return yes * 1000;
}

const fields = {
  calendar: 'gregory',
  numberingSystem: 'latn',
  hourCycle: 'h23',
  year: 'numeric',
  month: 'numeric',
  day: 'numeric',
  hour: 'numeric',
  minute: 'numeric',
  second: 'numeric',
} as const;

/** Offsets of full seconds, as Intl tells them. */
function offsets(id: string): (at: number) => number {
  const format = new Intl.DateTimeFormat('en-US', { ...fields, timeZone: id });
  return (at) => {
    const inside = Math.min(Math.max(at, earliest), latest);
    const parts = format.format(inside).split(/\D+/).map(Number);
    const [month, day, year, hour, minute, second] = parts as [number, number, number, number, number, number];
    return Date.UTC(year, month - 1, day, hour, minute, second) - inside;
  };
}

const zones = new Map<string, Zone>();
const names = new Map<string, Zone | undefined>();

/**
 * The zone of that name in the tz database, in any case, old names too (`US/Pacific`, `Etc/GMT+5`). Undefined for anything else.
 * An offset (`+02:00`) is no zone: it knows nothing of summer time, and Node before 22 refuses it.
 */
export function zoneNamed(name: unknown): Zone | undefined {
  if (typeof name !== 'string') return undefined;
  if (names.has(name)) return names.get(name);
  if (names.size >= keptNames) {
    names.clear();
    zones.clear();
  }
  const id = canonical(name);
  const zone = id === undefined ? undefined : (zones.get(id) ?? new Zone(id));
  if (zone !== undefined) zones.set(zone.id, zone);
  names.set(name, zone);
  return zone;
}

/** Names that Intl has of its own, and that mean something else to most people: its BST is Bangladesh's, its IST India's alone. */
const notOfTzDatabase =
  /^(?:ACT|AET|AGT|ART|AST|BET|BST|CAT|CNT|CST|CTT|EAT|ECT|IET|IST|JST|MIT|NET|NST|PLT|PNT|PRT|PST|SST|VST|SystemV\/.*)$/i;

function canonical(name: string): string | undefined {
  if (!/^[A-Za-z]/.test(name) || name.length > 64 || notOfTzDatabase.test(name)) return undefined;
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}
