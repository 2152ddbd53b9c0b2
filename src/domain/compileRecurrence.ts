/** The `schedule.recurrence` of a campaign: DTSTART, RRULE, RDATE and EXDATE of RFC 5545, checked and made ready. */
import { RRuleTemporal } from 'rrule-temporal';
import type { Fault } from './errors.ts';
import { Faults, listed } from './flowChecks.ts';
import { printable } from './printable.ts';
import { end, nextOccurrence, type Recurrence } from './recurrence.ts';
import { timesPerPeriod } from './recurrenceDensity.ts';
import { pairOf, type RuleParts, readRule } from './recurrenceRule.ts';
import { dayMs, Zone, zoneNamed } from './zones.ts';

export interface CompiledRecurrence {
  /** Absent when there are faults. */
  recurrence?: Recurrence;
  faults: Fault[];
}

/** Texts that are kept compiled: a recurrence is asked for at each look at its campaign. */
const keptTexts = 256;
/** Times that are left out one after the other, times what each costs: together they have to be found in about a second. */
const mostExcluded = 50_000;
/** Longer texts are not read. */
const longest = 20_000;
const properties = ['DTSTART', 'RRULE', 'RDATE', 'EXDATE'];
const example = '"DTSTART;TZID=Europe/Berlin:20260105T090000\\nRRULE:FREQ=WEEKLY;BYDAY=MO"';
const utc = new Zone('UTC');
/** How far the library looks for an occurrence: fourteen years day by day. Other bounds of its would switch its short cuts off. */
const bounds = { maxIterations: 5000 };

interface Line {
  name: string;
  parameters: ReadonlyMap<string, string>;
  value: string;
}

/** A date, or a time of a zone: ms as its clock shows it. */
interface Moment {
  wall: number;
  zone: Zone;
  isDate: boolean;
}

/**
 * Compiles a recurrence; never throws. DTSTART without zone and Z is UTC, and the zone of RDATE, EXDATE and UNTIL is DTSTART's
 * where they name none. Refused: SECONDLY, more than one RRULE, and a rule that never occurs.
 */
export function compileRecurrence(text: unknown, path: string): CompiledRecurrence {
  if (typeof text !== 'string') return compile(text, path);
  const key = `${path} ${text}`;
  const known = compiled.get(key);
  if (known !== undefined) return { ...known, faults: [...known.faults] };
  const made = compile(text, path);
  if (compiled.size >= keptTexts) compiled.clear();
  compiled.set(key, made);
  return { ...made, faults: [...made.faults] };
}

const compiled = new Map<string, CompiledRecurrence>();

function compile(text: unknown, path: string): CompiledRecurrence {
  const faults = new Faults();
  const add = (message: string, code = 'recurrence_invalid'): void => faults.add(code, path, () => message);
  if (typeof text !== 'string' || text.length > longest) {
    add(`was ${printable(text)}; it has to be text of RFC 5545 such as ${example}`, 'type');
    return { faults: faults.list };
  }
  const lines = linesOf(text, add);
  const start = momentsOf(only(lines, 'DTSTART', add), utc, add)[0];
  const rule = only(lines, 'RRULE', add);
  const parts = rule && readRule(rule.value, path, faults);
  if (start === undefined || parts === undefined) return { faults: faults.list };
  const recurrence = {
    zone: start.zone,
    until: untilOf(parts, start, add),
    dates: instantsOf(lines, 'RDATE', start, add).sort((a, b) => a - b),
    excluded: new Set(instantsOf(lines, 'EXDATE', start, add)),
    density: timesPerPeriod(parts),
  };
  const { excluded, density } = recurrence;
  if (excluded.size * density > mostExcluded)
    add(`EXDATE leaves out ${excluded.size} times of a rule with up to ${density} a period; narrow the rule instead`);
  if (faults.list.length > 0) return { faults: faults.list };
  const ready = { ...recurrence, rule: ruleOf(parts, start, add) };
  const first = Math.min(start.wall, ready.dates[0] ?? start.wall) - 2 * dayMs;
  if (faults.list.length === 0 && nextOccurrence(ready, first) === undefined) add('never occurs');
  return faults.list.length > 0 ? { faults: faults.list } : { recurrence: ready, faults: [] };
}

type Add = (message: string, code?: string) => void;

// ---------------------------------------------------------------- lines

/** Folded lines are put together (RFC 5545, 3.1). */
function linesOf(text: string, add: Add): Line[] {
  const lines = text.replace(/\r?\n[ \t]/g, '').split(/\r?\n/);
  return lines.filter((line) => line.trim() !== '').flatMap((line) => lineOf(line.trim(), add));
}

function lineOf(text: string, add: Add): Line[] {
  const match = /^([A-Za-z]+)((?:;[A-Za-z-]+=(?:"[^"]*"|[^";:]*))*):(.*)$/.exec(text);
  const [, written = '', parameters = '', value = ''] = match ?? [];
  const name = written.toUpperCase();
  if (!properties.includes(name)) {
    add(`a line was ${printable(text)}; it has to begin with one of ${listed(properties)}, as in ${example}`);
    return [];
  }
  const pairs = parameters.replaceAll('"', '').split(';').slice(1).map(pairOf);
  return [{ name, parameters: new Map(pairs.map(([key, each]) => [key.toUpperCase(), each])), value }];
}

function only(lines: readonly Line[], name: string, add: Add): Line | undefined {
  const found = lines.filter((line) => line.name === name);
  if (found.length !== 1) add(`has to have one ${name}, and has ${found.length}; write it as in ${example}`);
  return found.length === 1 ? found[0] : undefined;
}

// ---------------------------------------------------------------- times

/** The times of a line; `zone` is that of those that name none. */
function momentsOf(line: Line | undefined, zone: Zone, add: Add): Moment[] {
  if (line === undefined) return [];
  const tzid = line.parameters.get('TZID');
  const named = tzid === undefined ? zone : zoneNamed(tzid);
  if (named === undefined) {
    const wanted = 'it has to be a zone of the tz database such as Europe/Berlin';
    add(`TZID of ${line.name} was ${printable(tzid)}; ${wanted}`, 'timezone_unknown');
    return [];
  }
  const texts = line.name === 'DTSTART' ? [line.value] : line.value.split(',');
  return texts.flatMap((text) => {
    const moment = momentOf(text, named);
    if (moment !== undefined && !(tzid !== undefined && text.endsWith('Z'))) return [moment];
    const wanted = 'a time such as 20260105T090000, with Z at its end in UTC and without TZID';
    add(`${line.name} was ${printable(text)}; it has to be ${wanted}`, 'date_invalid');
    return [];
  });
}

/** `20260105`, `20260105T090000` or `20260105T090000Z` (RFC 5545, 3.3.4 and 3.3.5). */
function momentOf(text: string, zone: Zone): Moment | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z)?)?$/.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour = '00', minute = '00', second = '00', z] = match;
  const written = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  const wall = Date.parse(written);
  if (Number.isNaN(wall) || new Date(wall).toISOString() !== written) return undefined;
  return { wall, zone: z === undefined ? zone : utc, isDate: match[4] === undefined };
}

const instantOf = ({ wall, zone }: Moment): number => zone.instantOf(wall);

function instantsOf(lines: readonly Line[], name: string, start: Moment, add: Add): number[] {
  const moments = lines.filter((line) => line.name === name).flatMap((line) => momentsOf(line, start.zone, add));
  if (moments.some(({ isDate }) => isDate !== start.isDate)) {
    add(`${name} has to be ${start.isDate ? 'dates' : 'times'}, as DTSTART is`);
  }
  return moments.map(instantOf);
}

/** A date stands for its whole day. */
function untilOf(parts: RuleParts, start: Moment, add: Add): number {
  const text = parts.get('UNTIL');
  if (text === undefined) return Number.POSITIVE_INFINITY;
  const until = momentOf(text, start.zone);
  if (until === undefined)
    add(`UNTIL was ${printable(text)}; it has to be a time such as 20261231T225959Z`, 'date_invalid');
  else return until.isDate ? until.zone.reached(until.wall + dayMs) - 1 : instantOf(until);
  return 0;
}

/** The rule as the library knows it, in UTC. With COUNT it is counted from its start at every look, so that it has to be countable. */
function ruleOf(parts: RuleParts, start: Moment, add: Add): Recurrence['rule'] {
  const text = [...parts].filter(([name]) => name !== 'UNTIL').map(([name, value]) => `${name}=${value}`);
  const dtstart = new Date(start.wall).toISOString().replace(/[-:]|\.\d+/g, '');
  const rruleString = `DTSTART:${dtstart}\nRRULE:${text.join(';')}`;
  const rule = new RRuleTemporal({ rruleString, cache: false, ...bounds });
  try {
    if (parts.has('COUNT')) rule.next(new Date(end));
  } catch {
    add('COUNT reaches too far for this rule; write UNTIL instead');
  }
  return rule;
}
