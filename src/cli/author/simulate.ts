/** `simulate`: a campaign of a file on a virtual clock, by the worker's own decisions. Nothing is sent, nothing written. */
import { setImmediate as turn } from 'node:timers/promises';
import { scheduled } from '../../domain/campaignPins.ts';
import { compileLimits } from '../../domain/compileLimits.ts';
import { compileRecurrence } from '../../domain/compileRecurrence.ts';
import { flowMessages } from '../../domain/flowMessages.ts';
import { LeftOut } from '../../domain/leftOut.ts';
import type { Contact } from '../../domain/model.ts';
import { normalise } from '../../domain/normalise.ts';
import { isPlain, own } from '../../domain/plain.ts';
import { nextOccurrence, occurrences, type Recurrence } from '../../domain/recurrence.ts';
import { Simulation, type SimulationInput, type SimulationListener } from '../../domain/simulation.ts';
import { type SimulationFigures, SimulationTally } from '../../domain/simulationTally.ts';
import { StandIns } from '../../domain/standIns.ts';
import type { Context, ExitCode } from '../context.ts';
import { faultCount, faultValues, showFaults } from '../document/faults.ts';
import { count, type Output } from '../output.ts';
import { readEvents, readPaces, readStart, readTroubles, readUntil, type SimulateParams } from './simulateOptions.ts';
import { showSimulation } from './simulateText.ts';
import { contactsOf, readTryout } from './tryout.ts';

/** Steps between two looks at what else there is: some 50 ms. */
const stepsAtOnce = 5000;
/** A flow that goes round would print for ever. */
const mostMessages = 20_000_000;

export interface Overrun {
  /** Messages that `endAt` keeps from leaving. */
  messages: number;
  /** When the last one would leave without it; absent: later than the simulation looks. */
  lastSentAt?: Date;
}

export interface SimulationReport extends SimulationFigures {
  campaign: unknown;
  seed: number;
  startAt: Date;
  endAt?: Date;
  until: Date;
  contacts: number;
  leftOut: LeftOut;
  /** What is not as it will be on a worker. */
  notes: string[];
  /** Why it ended: nothing is left to happen, `--until`, or there were too many messages. */
  ended: 'done' | 'until' | 'too_many_messages';
  /** Conversations still active then. */
  open: number;
  overrun?: Overrun;
}

/** Prints what would happen; 1 when the campaign has faults or `endAt` cuts it off, 130 when it was interrupted. */
export async function simulate(params: SimulateParams, context: Context): Promise<ExitCode> {
  const { out, signal } = context;
  const asked = readStart(params.start, Date.now());
  const { document, faults, authored, config, target, notes } = await readTryout(params, context, asked, {
    isRead: false,
  });
  if (faults.length > 0 || authored === undefined) {
    out.value({ simulated: false, faults: faultValues(faults) });
    showFaults(params.file, faults, out);
    out.line(`${faultCount(params.file, faults)}: not simulated`);
    return 1;
  }
  const { flow, run } = authored;
  const stages = flow.stages.map(({ id }) => id);
  const { at: startAt, of: recurrence } = startOf(document, asked);
  const endAt = scheduled(document, 'endAt');
  const until = readUntil(params.until, startAt);
  const options = { events: readEvents(params, stages), ...readTroubles(params, stages) };
  const paces = readPaces(params, config);
  const { limits } = compileLimits(normalise(own(document, 'limits')));
  if (recurrence !== undefined) notes.push(occurrenceNote(recurrence, startAt, until));
  const { answers } = new StandIns(authored.context.flow, flowMessages(flow, authored.path));
  if (Object.keys(answers).length > 0)
    notes.push(`nobody answers: marks stand for what ${Object.keys(answers).join(', ')} would keep`);
  for (const note of notes) out.note(out.noteColor.yellow(`note: ${note}`));
  const leftOut = new LeftOut();
  const contacts: Contact[] = [];
  for await (const contact of contactsOf({ document, target, config }, params, context, leftOut))
    contacts.push(contact);
  const input: SimulationInput = {
    ...{ run, context: authored.context, contacts, startAt, endAt: endAt?.getTime(), until },
    ...{ paces, perSecond: limits.perSecond, ...options, answers, seed: params.seed },
  };
  const tally = new SimulationTally(startAt);
  const lines = new JsonLines(out);
  const end = await play(input, tally, { out, signal, lines });
  if (end === undefined) return interrupted(out);
  const figures = tally.figures(flow);
  const overrun = figures.cutOff.length === 0 ? undefined : await overrunOf(input, figures, { out, signal });
  if (signal.aborted) return interrupted(out);
  const report: SimulationReport = {
    ...{ campaign: run._id, seed: params.seed, startAt: new Date(startAt) },
    ...(endAt === undefined ? {} : { endAt }),
    ...{ until: new Date(until), contacts: contacts.length, leftOut, notes, ...end, ...figures },
    ...(overrun === undefined ? {} : { overrun }),
  };
  out.record({ summary: report });
  if (!out.json) showSimulation(report, authored, out);
  return overrun === undefined ? 0 : 1;
}

/** When it begins: at its `startAt`, one that recurs at its next occurrence. */
function startOf(document: Record<string, unknown>, asked: number): { at: number; of?: Recurrence } {
  const { type, schedule } = document;
  const text = isPlain(schedule) ? schedule['recurrence'] : undefined;
  const { recurrence } = type === 'recurring' ? compileRecurrence(text, '') : {};
  const at = recurrence && nextOccurrence(recurrence, asked - 1);
  if (recurrence !== undefined && at !== undefined) return { at, of: recurrence };
  return { at: Math.max(asked, scheduled(document, 'startAt')?.getTime() ?? asked) };
}

/** As many as it takes to say that there are many. */
const mostOccurrences = 100;

function occurrenceNote(recurrence: Recurrence, startAt: number, until: number): string {
  const more = occurrences(recurrence, startAt, until, mostOccurrences).length;
  const others = `${more === mostOccurrences ? `${more} or more` : more} others until ${new Date(until).toISOString()}`;
  return `this is one occurrence, that of ${new Date(startAt).toISOString()}; ${others} are like it and are not played`;
}

function interrupted(out: Output): ExitCode {
  out.failure({ code: 'interrupted', message: 'interrupted before its end' });
  return 130;
}

interface Play {
  out: Output;
  signal: AbortSignal;
  lines?: JsonLines;
}

type End = Pick<SimulationReport, 'ended' | 'open'>;

/** Undefined when it was interrupted. */
async function play(
  input: SimulationInput,
  tally: SimulationTally,
  { out, signal, lines }: Play,
): Promise<End | undefined> {
  let messages = 0;
  const listener: SimulationListener = {
    message: (message) => {
      messages += 1;
      tally.message(message);
      lines?.add(message);
    },
    delayed: (delay) => tally.delayed(delay),
    counted: (delta) => tally.counted(delta),
    ended: (conversation, at) => tally.ended(conversation, at),
    cutOff: (because) => tally.cutOff(because),
  };
  const simulation = new Simulation(input, listener);
  try {
    while (simulation.run(stepsAtOnce)) {
      if (messages > mostMessages) return { ended: 'too_many_messages', open: simulation.open };
      out.panel([
        `${new Date(simulation.now).toISOString()}  ${count(messages)} messages, ${count(simulation.open)} open`,
      ]);
      await lines?.flush();
      await turn();
      if (signal.aborted) return undefined;
    }
    await lines?.flush();
  } finally {
    out.panel([]);
    out.endPanel();
  }
  return { ended: simulation.isDone ? 'done' : 'until', open: simulation.open };
}

/** The same without its end: what it keeps from leaving. */
async function overrunOf(input: SimulationInput, { metrics }: SimulationFigures, rest: Play): Promise<Overrun> {
  const tally = new SimulationTally(input.startAt);
  const end = await play({ ...input, endAt: undefined }, tally, rest);
  const { metrics: without, lastSentAt } = tally.figures({ stages: [] });
  return {
    messages: without.messages.sent - metrics.messages.sent,
    ...(lastSentAt === undefined || end?.ended !== 'done' ? {} : { lastSentAt }),
  };
}

/** With `--json` a line for each message, as fast as they are read. */
class JsonLines {
  private readonly out: Output;
  private lines: string[] = [];

  constructor(out: Output) {
    this.out = out;
  }

  add(message: object): void {
    if (this.out.json) this.lines.push(`${JSON.stringify(message)}\n`);
  }

  async flush(): Promise<void> {
    if (this.lines.length === 0) return;
    const text = this.lines.join('');
    this.lines = [];
    await this.out.data(text);
  }
}
