/** From a flow as its author wrote it to the graph the engine walks, with everything checked that can be known before the start. */
import type { ChannelFacts } from './channelPorts.ts';
import { asText, type Compilation } from './compileParts.ts';
import { compileRules } from './compileRules.ts';
import { type Late, noTiming, type Timing } from './compileSchedule.ts';
import { compileStage } from './compileStage.ts';
import type { CompiledContent } from './content.ts';
import type { Fault } from './errors.ts';
import { checkCycles, checkTargets, Faults, nameWords } from './flowChecks.ts';
import type { Flow, RuleAction } from './model.ts';
import { isPlain, own } from './plain.ts';
import { printable } from './printable.ts';
import type { CompiledQuery } from './query.ts';
import type { SendWindow } from './sendWindow.ts';
import type { Duration } from './timing.ts';
import type { LinkField } from './unsubscribe.ts';
import type { CompiledUntil } from './until.ts';

export interface CompiledFollowUp {
  /** Time of silence since the message before it. */
  after: Duration;
  /** Its own content, or the stage's. */
  content: CompiledContent;
  /** Its own channel, or the stage's. */
  channel: string;
}
export interface CompiledFallback {
  /** Another than the stage's. */
  channel: string;
  /** Its own content, or the stage's. */
  content: CompiledContent;
  /** It also takes the place of a message that was not sent so long after it was due; absent: only of one that failed. */
  after?: Duration;
}
export interface CompiledMessage {
  type: 'message';
  id: string;
  /** Place in `flow.stages`. */
  index: number;
  channel: string;
  content: CompiledContent;
  delay?: Duration;
  followUps: CompiledFollowUp[];
  /** Where a message goes that the channel of the stage cannot deliver. */
  fallback?: CompiledFallback;
  waitForReply?: Duration;
  /** When its messages may leave: its own, or the campaign's. Absent: at any time. */
  window?: SendWindow;
  /** Stage by event. Has no prototype: any name can be looked up. */
  on: Readonly<Record<string, string>>;
  /** The next stage in order; absent on the last. */
  next?: string;
}
/** What a wait stage waits for. */
export type WaitFor =
  | { kind: 'time'; duration: Duration }
  /** Working days of the window. */
  | { kind: 'businessDays'; days: number; window: SendWindow }
  | { kind: 'until'; until: CompiledUntil; onMissing?: string }
  | { kind: 'event'; event: string; timeout?: Duration; onTimeout?: string };
export interface CompiledWait {
  type: 'wait';
  id: string;
  index: number;
  waitFor: WaitFor;
  on: Readonly<Record<string, string>>;
  next?: string;
}
export interface CompiledBranch {
  type: 'branch';
  id: string;
  index: number;
  branches: { query?: CompiledQuery; goto: string }[];
  next?: string;
}
export interface CompiledVariantShare {
  variant: string;
  weight: number;
  /** Absent: a hold-out. */
  goto?: string;
}
export interface CompiledSplit {
  type: 'split';
  id: string;
  index: number;
  variants: CompiledVariantShare[];
  next?: string;
}
export interface CompiledNotification {
  channel: string;
  to: CompiledContent;
  content: CompiledContent;
}
export interface CompiledEscalate {
  type: 'escalate';
  id: string;
  index: number;
  to: string;
  reason?: string;
  notify?: CompiledNotification;
  after?: Duration;
  onTimeout?: string;
  on: Readonly<Record<string, string>>;
  next?: string;
}
export interface CompiledWebhook {
  type: 'webhook';
  id: string;
  index: number;
  channel: string;
  to?: CompiledContent;
  /** Only its `body`. */
  content: CompiledContent;
  keep: boolean;
  on: Readonly<Record<string, string>>;
  next?: string;
}
export interface CompiledEnd {
  type: 'end';
  id: string;
  index: number;
  outcome: string;
}
export type CompiledStage =
  | CompiledMessage
  | CompiledWait
  | CompiledBranch
  | CompiledSplit
  | CompiledEscalate
  | CompiledWebhook
  | CompiledEnd;

/** What an event does before the stage it meets is asked. */
export interface CompiledRule {
  on: string;
  query?: CompiledQuery;
  action: RuleAction;
}

export interface CompiledFlow {
  /** Id of the first stage. */
  entry: string;
  stages: ReadonlyMap<string, CompiledStage>;
  rules: readonly CompiledRule[];
  /** Channels the flow uses, distinct and sorted. */
  channels: readonly string[];
  /** What becomes of messages that come late; absent: they are sent. */
  late?: Late;
}

export interface CompileOptions {
  /** The configured channels by name. */
  channels: ReadonlyMap<string, ChannelFacts>;
  /** True for what is not transactional. */
  bulk: boolean;
  /** Whether the campaign says how to unsubscribe. */
  unsubscribe: boolean;
  /** What it does not say of it: content cannot print that. None by default. */
  lackingLinks?: readonly LinkField[];
  /** When messages leave; at any time by default. */
  timing?: Timing;
  /** What fault paths begin with; `flow` by default. */
  path?: string;
}

const idPattern = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;

/**
 * Compiles a flow, or says all that is wrong with it at once, each fault with code and path (a list of 200 at most).
 * Codes: flow_invalid, stage_invalid, stage_id_invalid, stage_duplicate, stage_missing, cycle_without_wait, channel_unknown,
 * content_missing, template_invalid, duration_invalid, query_invalid, until_invalid, rule_invalid, unsubscribe_missing, and those of
 * `compileSendWindow`. Never throws, whatever the flow is.
 */
export function compileFlow(
  flow: Flow,
  options: CompileOptions,
): { flow: CompiledFlow; faults: [] } | { flow?: undefined; faults: Fault[] } {
  const path = options.path ?? 'flow';
  const faults = new Faults();
  const { channels, lackingLinks = [], timing = noTiming } = options;
  const compilation: Compilation = { channels, lackingLinks, timing, faults, used: new Map() };
  const sources: unknown = isPlain(flow) ? own(flow, 'stages') : undefined;
  const compiled = Array.isArray(sources) ? compileStages(compilation, sources, `${path}.stages`) : [];
  const stages = new Map(compiled.map((stage) => [stage.id, stage]));
  const entry = compiled[0]?.id;
  const rules = compileRules(compilation, isPlain(flow) ? own(flow, 'rules') : undefined, `${path}.rules`);
  checkTargets(compiled, rules, path, faults);
  checkCycles(stages, path, faults);
  if (options.bulk && !options.unsubscribe && [...compilation.used.values()].some(isMail)) {
    faults.add('unsubscribe_missing', 'unsubscribe', () => 'bulk mail needs unsubscribe with url or mailto (RFC 8058)');
  }
  if (faults.list.length > 0) return { faults: faults.list };
  if (entry === undefined) {
    return { faults: [{ code: 'flow_invalid', path: `${path}.stages`, message: 'has to be a list of stages' }] };
  }
  const late = timing.late === undefined ? {} : { late: timing.late };
  return { flow: { entry, stages, rules, channels: [...compilation.used.keys()].sort(), ...late }, faults: [] };
}

const isMail = (channel: ChannelFacts): boolean => channel.address === 'email';

function compileStages(compilation: Compilation, sources: readonly unknown[], path: string): CompiledStage[] {
  const seen = new Map<string, number>();
  return sources.flatMap((source, index) => {
    const at = `${path}[${index}]`;
    if (!isPlain(source)) {
      compilation.faults.add('stage_invalid', at, () => 'is not an object');
      return [];
    }
    const id = idOf(source);
    const earlier = seen.get(id);
    if (!idPattern.test(id)) {
      compilation.faults.add(
        'stage_id_invalid',
        `${at}.id`,
        () => `was ${printable(own(source, 'id'))}; it has to be ${nameWords}`,
      );
    } else if (earlier !== undefined) {
      compilation.faults.add(
        'stage_duplicate',
        `${at}.id`,
        () => `${JSON.stringify(id)} is the id of stages[${earlier}]`,
      );
    } else seen.set(id, index);
    const next = sources[index + 1];
    const place = { id, index, ...(isPlain(next) ? { next: idOf(next) } : {}) };
    return [compileStage(compilation, source, place, at)];
  });
}

const idOf = (stage: object): string => asText(own(stage, 'id')) ?? '';
