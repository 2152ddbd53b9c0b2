/** Everything that can be wrong with a campaign, said at once. */
import { audienceFaults } from './audience.ts';
import { authored } from './authored.ts';
import { typeFaults } from './campaignTypes.ts';
import type { ChannelFacts } from './channelPorts.ts';
import { compileLimits } from './compileLimits.ts';
import { compileSchedule, effectiveSchedule, schedulePath } from './compileSchedule.ts';
import type { Fault } from './errors.ts';
import { compileExit } from './exit.ts';
import { type CompiledFlow, compileFlow } from './flow.ts';
import { guardFaults } from './guard.ts';
import { type HolidayCalendar, noHolidays } from './holidays.ts';
import type { CampaignDocument, Flow, Template } from './model.ts';
import { isDate, normalise } from './normalise.ts';
import { isPlain, own } from './plain.ts';
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
  /** The public holidays, where `wantsHolidays` says so. */
  holidays?: HolidayCalendar | undefined;
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
  /** The schedule to pin, with the template's defaults. */
  schedule?: NonNullable<CampaignDocument['schedule']>;
  compiled?: CompiledFlow;
  /** The template's defaults under the campaign's own. */
  variables: Record<string, unknown>;
}

/** Checks a campaign as it is stored, whatever its shape: every fault at once, each with its path; those of a template begin with `template`. Never throws. */
export function checkCampaign(raw: unknown, context: CheckContext): CheckedCampaign {
  const document = normalise(isPlain(raw) ? authored(raw) : raw);
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
  const transactional = own(document, 'transactional') === true;
  const schedules = [own(document, 'schedule'), stored && own(stored, 'schedule')] as const;
  const schedule = effectiveSchedule(...schedules);
  const holding = { transactional, holidays: context.holidays ?? noHolidays };
  const { timing, faults: timingFaults } = compileSchedule(schedule, holding, schedulePath(...schedules));
  const compiled = compileFlow((flow ?? { stages: [] }) as Flow, {
    channels: context.channels,
    bulk: !transactional,
    unsubscribe: isPlain(unsubscribe) && (own(unsubscribe, 'url') ?? own(unsubscribe, 'mailto')) !== undefined,
    lackingLinks: lackingLinks(unsubscribe),
    timing,
    path: own(document, 'flow') === undefined ? 'template.flow' : 'flow',
  });
  const others = [
    ...sourceFaults(document, context),
    ...scheduleFaults(document, context.now),
    ...timingFaults,
    ...typeFaults(document, context.now),
    ...compileExit(own(document, 'exitWhen')).faults,
    ...guardFaults(own(document, 'guard')),
    ...compileLimits(own(document, 'limits')).faults,
    ...audienceFaults(own(document, 'audience'), flow, context),
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
    ...(schedule === undefined ? {} : { schedule }),
    ...(compiled.flow && faults.length === 0 ? { compiled: compiled.flow } : {}),
    variables: { ...fieldsOf(stored?.variables), ...fieldsOf(own(document, 'variables')) },
  };
}

const fieldsOf = (value: unknown): Record<string, unknown> => (isPlain(value) ? value : {});

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
  if (own(document, 'migrate') !== undefined)
    add('not_allowed', 'migrate', 'is for a campaign that runs; before its start say templateVersion');
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
