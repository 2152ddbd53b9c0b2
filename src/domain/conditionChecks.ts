/** Names in conditions, dates and events of a flow that nothing ever has: such a condition never holds, such an event never comes. */
import { type AuthorContext, nameFault, onceEach } from './authorChecks.ts';
import type { Fault } from './errors.ts';
import { suggestion } from './flowChecks.ts';
import { lackedBy, misnamed, type NameContext } from './knownNames.ts';
import type { Flow, Stage } from './model.ts';
import { isPlain, joinPath, own } from './plain.ts';
import { pathOf } from './queryOperators.ts';
import { parseUntil } from './until.ts';

export interface ConditionContext extends NameContext, Pick<AuthorContext, 'path'> {
  /** As its author wrote it. */
  source: Flow;
  exitWhen?: unknown;
}

/** Of a flow that compiles, and an `exitWhen` that may not. */
export function conditionWarnings(context: ConditionContext): Fault[] {
  const { source, exitWhen, path } = context;
  const rules = source.rules ?? [];
  return onceEach([
    ...inQuery(exitWhen, 'exitWhen', context),
    ...source.stages.flatMap((stage, index) => inStage(stage, `${path}.stages[${index}]`, context)),
    ...rules.flatMap(({ on, when }, index) => [
      ...unlikely(on, `${path}.rules[${index}].on`),
      ...inQuery(when, `${path}.rules[${index}].when`, context).filter(isOfRule),
    ]),
  ]);
}

function inStage(stage: Stage, at: string, context: ConditionContext): Fault[] {
  const on = own(stage, 'on');
  const events = Object.keys(isPlain(on) ? on : {}).flatMap((event) =>
    event === 'noReply' && stage.type !== 'message'
      ? [eventFault(`${at}.on.noReply`, 'never comes here: only a stage of type "message" waits for a reply')]
      : unlikely(event, joinPath(`${at}.on`, event)),
  );
  if (stage.type === 'branch')
    return stage.branches.flatMap(({ when }, index) => inQuery(when, `${at}.branches[${index}].when`, context));
  if (stage.type !== 'wait') return events;
  return [
    ...events,
    ...('until' in stage ? inUntil(stage.until, `${at}.until`, context) : []),
    ...('event' in stage ? unlikely(String(stage.event), `${at}.event`) : []),
  ];
}

// ---------------------------------------------------------------- paths

function inUntil(source: unknown, at: string, context: NameContext): Fault[] {
  const until = parseUntil(source);
  return typeof until === 'string' || 'at' in until ? [] : inPath(until.path, at, context);
}

/** What is no query has its faults elsewhere. */
function inQuery(query: unknown, path: string, context: NameContext): Fault[] {
  if (!isPlain(query)) return [];
  return Object.entries(query).flatMap(([key, value]) => {
    const at = pathOf(path, key);
    if (!key.startsWith('$')) return inPath(key.split('.'), at, context);
    return Array.isArray(value) ? value.flatMap((one, index) => inQuery(one, `${at}[${index}]`, context)) : [];
  });
}

function inPath(written: readonly string[], at: string, context: NameContext): Fault[] {
  const path = written.map((field) => (/^\d+$/.test(field) ? Number(field) : field));
  const lacked = lackedBy(path, context);
  const why = misnamed(path, context) ?? (lacked && `${lacked.what}${lacked.instead}`);
  return why === undefined ? [] : [nameFault(at, written.join('.'), why)];
}

/** A rule sees an event as it was written, with whatever else its writer put there. */
const isOfRule = ({ message }: Fault): boolean => !message.startsWith('event.') || message.includes('Did you mean');

// ---------------------------------------------------------------- events

const ours = 'reply noReply bounce failed complaint unsubscribe delivered opened clicked resume'.split(' ');
/** What others call them. */
const otherWords: Readonly<Record<string, string>> = {
  ...{ failure: 'failed', fail: 'failed', error: 'failed', replied: 'reply', answer: 'reply', silence: 'noReply' },
  ...{
    bounced: 'bounce',
    complained: 'complaint',
    spam: 'complaint',
    unsubscribed: 'unsubscribe',
    optout: 'unsubscribe',
  },
  ...{ delivery: 'delivered', open: 'opened', click: 'clicked', resumed: 'resume' },
};

/** Any word may be an event of the author; one that is nearly one of ours is hardly meant to be. */
function unlikely(event: string, at: string): Fault[] {
  if (ours.includes(event)) return [];
  const plain = event.toLowerCase().replace(/[_-]/g, '');
  const meant = Object.hasOwn(otherWords, plain)
    ? ` Did you mean ${JSON.stringify(otherWords[plain])}?`
    : suggestion(plain, ours);
  const why = `${JSON.stringify(event)} is no event of ours: it comes only if one of your services writes it.`;
  return meant === '' ? [] : [eventFault(at, `${why}${meant}`)];
}

const eventFault = (path: string, message: string): Fault => ({ code: 'event_unlikely', path, message });
