/** Everything that can be wrong with a campaign, said at once. */
import type { Fault } from './errors.ts';
import { type CompiledFlow, compileFlow } from './flow.ts';
import type { CampaignDocument, Flow, Template } from './model.ts';
import { isDate, normalise } from './normalise.ts';
import { isPlain, own } from './plain.ts';
import type { ChannelFacts } from './ports.ts';
import { printable } from './printable.ts';
import { compileUnsubscribe, lackingLinks } from './unsubscribe.ts';
import { faultsOf } from './validation.ts';

export interface CheckContext {
  channels: ReadonlyMap<string, ChannelFacts>;
  /** The template the campaign names; `missing` when there is none; absent when it was not looked up. */
  template?: Template | 'missing' | undefined;
  /** Names of our own collections: no audience reads from them. */
  reservedCollections: readonly string[];
  /** ms since the epoch; without it, nothing is said about an end that has passed. */
  now?: number;
  /** False: no HASH_KEY is set, so that `unsubscribe` cannot use `{{ token }}`. Nothing is said about it when absent. */
  unsubscribeTokens?: boolean;
  /** What the database said of the audience's query. */
  audienceFault?: Fault | undefined;
}

export interface CheckedCampaign {
  /** Empty: the campaign can start. */
  faults: Fault[];
  /** The campaign with plain numbers; inline contacts and our own fields are left out. Absent when it is no object. */
  document?: CampaignDocument;
  /** The flow to pin: the campaign's own, or its template's. */
  flow?: Flow;
  compiled?: CompiledFlow;
  /** The template's defaults under the campaign's own. */
  variables: Record<string, unknown>;
}

/** Checks a campaign as it is stored, whatever its shape: every fault at once, each with its path; those of a template begin with `template`. Never throws. */
export function checkCampaign(raw: unknown, context: CheckContext): CheckedCampaign {
  const document = normalise(authored(raw));
  if (!isPlain(document)) {
    const message = `has to be an object, was ${printable(raw)}`;
    return { faults: [{ code: 'type', path: '', message }], variables: {} };
  }
  const template =
    own(document, 'templateId') === undefined || context.template === 'missing' ? undefined : context.template;
  const stored = template && (normalise(template) as Template);
  const schemaFaults = [
    ...faultsOf('CampaignDocument', document),
    ...(stored ? faultsOf('Template', stored).map((fault) => ({ ...fault, path: `template.${fault.path}` })) : []),
  ];
  const flow = own(document, 'flow') ?? stored?.flow;
  const unsubscribe = own(document, 'unsubscribe');
  const compiled = compileFlow((flow ?? { stages: [] }) as Flow, {
    channels: context.channels,
    bulk: own(document, 'transactional') !== true,
    unsubscribe: isPlain(unsubscribe) && (own(unsubscribe, 'url') ?? own(unsubscribe, 'mailto')) !== undefined,
    lackingLinks: lackingLinks(unsubscribe),
    path: own(document, 'flow') === undefined ? 'template.flow' : 'flow',
  });
  const others = [
    ...sourceFaults(document, context),
    ...scheduleFaults(document, context.now),
    ...audienceFaults(document, context),
    ...(isPlain(unsubscribe) ? compileUnsubscribe(unsubscribe, context.unsubscribeTokens).faults : []),
    ...(flow === undefined ? [] : compiled.faults),
  ];
  const faults = [
    ...schemaFaults,
    ...others.filter(({ path }) => !schemaFaults.some((known) => overlap(known.path, path))),
  ];
  return {
    faults,
    document: document as CampaignDocument,
    ...(flow === undefined ? {} : { flow: flow as Flow }),
    ...(compiled.flow && faults.length === 0 ? { compiled: compiled.flow } : {}),
    variables: { ...fieldsOf(stored?.variables), ...fieldsOf(own(document, 'variables')) },
  };
}

const fieldsOf = (value: unknown): Record<string, unknown> => (isPlain(value) ? value : {});

/** Fields that are ours to write: whatever others left there is written over. */
const ours: ReadonlySet<string> = new Set([
  'version',
  'error',
  'expansion',
  'metrics',
  'results',
  'startedAt',
  'completedAt',
  'trace',
]);

/** What is its author's. Inline contacts are left out: they are checked one by one when the audience is expanded, and may be 16 MB. */
function authored(raw: unknown): unknown {
  if (!isPlain(raw)) return raw;
  const fields = Object.fromEntries(Object.entries(raw).filter(([name]) => !ours.has(name)));
  const audience = own(fields, 'audience');
  if (!isPlain(audience) || !Array.isArray(own(audience, 'contacts'))) return fields;
  return { ...fields, audience: { ...audience, contacts: [] } };
}

/** Where the shape is wrong, what follows from it is not worth saying. */
const overlap = (a: string, b: string): boolean => a === b || within(a, b) || within(b, a);

const within = (outer: string, inner: string): boolean =>
  inner.startsWith(outer) && (inner[outer.length] === '.' || inner[outer.length] === '[');

function sourceFaults(document: Record<string, unknown>, context: CheckContext): Fault[] {
  const templateId = own(document, 'templateId');
  const version = own(document, 'templateVersion');
  const flow = own(document, 'flow');
  const faults: Fault[] = [];
  const add = (code: string, path: string, message: string): void => {
    faults.push({ code, path, message });
  };
  if (templateId !== undefined && flow !== undefined)
    add('not_allowed', 'flow', 'is given beside templateId; one of them says what to run');
  if (templateId === undefined && flow === undefined) add('required', 'flow', 'is missing; give flow or templateId');
  if (templateId === undefined && version !== undefined)
    add('not_allowed', 'templateVersion', 'is of no use without templateId');
  if (templateId !== undefined && context.template === 'missing') {
    const which = version === undefined ? '' : ` with version ${printable(version)}`;
    add('template_missing', 'templateId', `there is no template ${printable(templateId)}${which}`);
  }
  return faults;
}

function scheduleFaults(document: Record<string, unknown>, now: number | undefined): Fault[] {
  const schedule = fieldsOf(own(document, 'schedule'));
  const startAt = own(schedule, 'startAt');
  const endAt = own(schedule, 'endAt');
  if (!isDate(endAt)) return [];
  const fault = (message: string): Fault[] => [{ code: 'not_allowed', path: 'schedule.endAt', message }];
  if (isDate(startAt) && startAt.getTime() >= endAt.getTime()) {
    return fault(`was ${printable(endAt)}; it has to be later than startAt, ${printable(startAt)}`);
  }
  return now !== undefined && endAt.getTime() <= now ? fault(`was ${printable(endAt)}, which has passed`) : [];
}

function audienceFaults(document: Record<string, unknown>, context: CheckContext): Fault[] {
  const name = own(fieldsOf(own(document, 'audience')), 'collection');
  if (typeof name !== 'string') return [];
  const fault = (message: string): Fault[] => [{ code: 'not_allowed', path: 'audience.collection', message }];
  if (name.startsWith('system.') || context.reservedCollections.includes(name)) {
    return fault(`${printable(name)} is one of the service's or the database's own collections`);
  }
  if (/[$\0]|^\.|\.$|\.\./.test(name)) return fault(`${printable(name)} is no name of a collection`);
  return context.audienceFault ? [context.audienceFault] : [];
}
