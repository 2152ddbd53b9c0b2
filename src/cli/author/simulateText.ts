/** A simulation for people: stages in time, the load by hour, who is left out and why, and whether the end comes too soon. */
import type { Id } from '../../domain/model.ts';
import type { ChannelLoad, NotSent, PutOff, StepLine } from '../../domain/simulationTally.ts';
import { reasonWord } from '../../domain/words.ts';
import { type Block, type Row, showBlock } from '../blocks.ts';
import { showId } from '../database.ts';
import { percent } from '../drawing.ts';
import { count, distance, type Output, plural, safe } from '../output.ts';
import type { Authored } from './author.ts';
import { leftOutWords } from './leftOutText.ts';
import type { SimulationReport } from './simulate.ts';

export function showSimulation(report: SimulationReport, { flow }: Authored, out: Output): void {
  const { color } = out;
  const { leftOut } = report;
  const left = leftOut.invalid + leftOut.duplicate;
  out.line(
    `${color.bold(showId(report.campaign))}  ${plural(report.contacts, 'contact')} from ${minute(report.startAt)}${left > 0 ? `; ${plural(left, 'contact')} left out` : ''}`,
  );
  for (const line of leftOutWords(leftOut)) out.line(color.yellow(line));
  out.line(endWords(report));
  for (const block of [stagesBlock(report, flow.stages.length), messagesBlock(report.steps), outcomesBlock(report)])
    showBlock(block, out);
  for (const load of report.load) showLoad(load, out);
  showBlock(putOffBlock(report.putOff), out);
  showBlock(notSentBlock('Messages that do not leave', report.messages), out);
  showBlock(notSentBlock('Conversations that do not complete', report.conversations), out);
  showOverrun(report, out);
  out.line();
  out.line(color.dim(`All times are UTC. Seed ${report.seed}: the same again gives the same.`));
}

/** `2026-01-05 09:00`. */
const minute = (at: Date): string => at.toISOString().slice(0, 16).replace('T', ' ');

function endWords({ ended, open, startAt, until, lastEndedAt, lastSentAt, metrics }: SimulationReport): string {
  const sent = `${plural(metrics.messages.sent, 'message')} sent`;
  const last = lastSentAt === undefined ? '' : `, the last ${minute(lastSentAt)}`;
  const still = open === 0 ? '' : `; ${plural(open, 'conversation')} still open`;
  if (ended === 'until') return `${sent}${last}${still} on ${minute(until)}, where the simulation ends (--until)`;
  if (ended === 'too_many_messages') return `${sent}${last}${still}: more than anyone looks at. Give --until`;
  const over = lastEndedAt === undefined ? '' : `; over after ${distance(lastEndedAt.getTime() - startAt.getTime())}`;
  return `${sent}${last}${over}${still === '' ? '' : `${still}, waiting for what does not come by itself`}`;
}

function stagesBlock({ stages }: SimulationReport, most: number): Block {
  const largest = Math.max(1, ...stages.map(({ entered }) => entered));
  const rows = stages.slice(0, most).map(
    ({ stage, entered, sent, replied }): Row => ({
      ...{ cells: [safe(stage), count(entered), count(sent), count(replied)], bar: entered / largest },
    }),
  );
  return { title: 'Stages', head: ['stage', 'entered', 'sent', 'replied'], rows };
}

function messagesBlock(steps: readonly StepLine[]): Block {
  const time = (ms: number | undefined): string => {
    if (ms === undefined) return '';
    if (ms < minuteMs) return `+${Math.floor(ms / 1000)} s`;
    return ms < hourMs ? `+${Math.floor(ms / minuteMs)} min` : `+${distance(ms)}`;
  };
  const rows = steps.map(({ stage, step, channel, sent, failed, skipped, uncertain, ...times }): Row => {
    const name = step === 0 ? safe(stage) : `  follow-up ${step}`;
    const not = failed + skipped + uncertain;
    return {
      cells: [
        ...[name, safe(channel), count(sent), not === 0 ? '' : count(not)],
        ...[times.firstMs, times.p50Ms, times.p99Ms, times.lastMs].map(time),
      ],
    };
  });
  const head = ['message', 'channel', 'sent', 'not sent', 'first', 'half', '99 %', 'last'];
  return { title: 'Messages', note: 'times since the start', head, words: [0, 1], rows };
}

function outcomesBlock({ metrics, contacts }: SimulationReport): Block {
  const rows = Object.entries(metrics.outcomes)
    .toSorted(([, a], [, b]) => b - a)
    .map(
      ([outcome, many]): Row => ({
        cells: [safe(outcome), count(many), percent(many, contacts)],
        bar: many / Math.max(1, contacts),
      }),
    );
  return { title: 'Outcomes', head: ['outcome', 'contacts', 'share'], rows };
}

// ---------------------------------------------------------------- load

const hours = 24;
const minuteMs = 60_000;
const hourMs = 3_600_000;
const dayMs = hours * hourMs;
/** Days that are drawn; `--json` has them all. */
const mostDays = 62;
const sparks = '▁▂▃▄▅▆▇█';
const dayNames = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

/** A line for each day on which something leaves, with a column for each of its hours. */
function showLoad({ channel, sent, peak, hours: counts }: ChannelLoad, out: Output): void {
  const { color } = out;
  const days = new Map<number, number[]>();
  for (const { at, count: many } of counts) {
    const day = Math.floor(at.getTime() / dayMs);
    const columns = days.get(day) ?? new Array<number>(hours).fill(0);
    columns[at.getUTCHours()] = many;
    days.set(day, columns);
  }
  out.line();
  const busiest = `${plural(sent, 'message')}, at most ${count(peak.count)} an hour (${minute(peak.at)})`;
  out.line(`${color.bold(`Load of ${safe(channel)}`)}${color.dim(`  ${busiest}`)}`);
  out.line(color.dim(`${' '.repeat(16)}0     6     12    18       a day  an hour`));
  let last: number | undefined;
  for (const [day, columns] of [...days].slice(0, mostDays)) {
    if (last !== undefined && day > last + 1) out.line(color.dim(`${' '.repeat(11)}…`));
    last = day;
    const at = new Date(day * dayMs);
    const all = columns.reduce((sum, one) => sum + one, 0);
    const drawn = columns.map((one) => columnOf(one, peak.count)).join('');
    const figures = `${count(all).padStart(9)}${count(Math.max(...columns)).padStart(9)}`;
    out.line(`${at.toISOString().slice(0, 10)}  ${dayNames[at.getUTCDay()]} ${color.cyan(drawn)}${figures}`);
  }
  if (days.size > mostDays) out.line(color.dim(`… and ${plural(days.size - mostDays, 'more day')}; --json has them`));
}

/** Whatever there is at all is seen. */
const columnOf = (value: number, most: number): string =>
  value === 0 ? '·' : (sparks[Math.min(sparks.length - 1, Math.floor((value / most) * sparks.length))] ?? '');

// ---------------------------------------------------------------- what does not happen

function notSentBlock(title: string, lines: readonly NotSent[]): Block {
  const rows = lines.map(({ status, reason, count: many, contacts }): Row => {
    const word = reasonWord(reason);
    const why = word === reason ? safe(reason) : `${safe(word)} (${safe(reason)})`;
    return { cells: [status, count(many), why, named(contacts, many)] };
  });
  return { title, head: ['status', 'count', 'why', 'contacts'], words: [0, 2, 3], rows };
}

function putOffBlock(lines: readonly PutOff[]): Block {
  const rows = lines.map(
    ({ because, count: many, contacts }): Row => ({
      cells: [count(many), causes[because] ?? safe(because), named(contacts, many)],
    }),
  );
  return { title: 'Messages that limits put off', head: ['count', 'why', 'contacts'], words: [1, 2], rows };
}

const named = (contacts: readonly Id[], many: number): string =>
  `${contacts.map(showId).join(', ')}${many > contacts.length ? ', …' : ''}`;

const causes: Readonly<Record<string, string>> = {
  rate: 'their channel takes no more (its rate, or what it takes at a time)',
  flow: 'their flow is longer than the campaign',
  event: 'they wait for an event that did not come',
  answer: 'a message was on its way',
  window: 'they wait for their send window',
  holiday: 'they wait for the end of a holiday',
  cap: 'they have had enough messages for now',
  warm_up: 'the ramp of the campaign (limits.ramp) has no room',
  retry: 'a message waits for another try',
};

function showOverrun({ endAt, overrun, cutOff, until }: SimulationReport, out: Output): void {
  if (endAt === undefined || overrun === undefined) return;
  const cut = cutOff.reduce((sum, one) => sum + one.count, 0);
  out.line();
  out.line(
    out.color.red(
      `The end (endAt, ${minute(endAt)}) cuts off ${plural(cut, 'conversation')}: ${plural(overrun.messages, 'message')} would not leave.`,
    ),
  );
  for (const { because, count: many } of cutOff) out.line(`  ${count(many)}: ${causes[because] ?? safe(because)}`);
  const { lastSentAt } = overrun;
  out.line(
    lastSentAt === undefined
      ? `Without an end it goes on beyond ${minute(until)}.`
      : `Without it the last message leaves ${minute(lastSentAt)}, ${distance(lastSentAt.getTime() - endAt.getTime())} later.`,
  );
}
