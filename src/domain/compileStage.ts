/** One stage of a flow, compiled as far as it can be: what is wrong goes to the faults, with a stand-in in its place. */
import { type CompiledContent, compileContent, completeVariants, contentFields } from './content.ts';
import type { CompiledFollowUp, CompiledMessage, CompiledStage } from './flow.ts';
import { type Faults, listed, suggestion } from './flowChecks.ts';
import type { Content } from './model.ts';
import { isPlain, joinPath, own } from './plain.ts';
import type { ChannelFacts } from './ports.ts';
import { type Duration, isPositive, parseDuration } from './timing.ts';
import { type LinkField, linkUses } from './unsubscribe.ts';

/** What one compilation gathers. */
export interface Compilation {
  channels: ReadonlyMap<string, ChannelFacts>;
  lackingLinks: readonly LinkField[];
  faults: Faults;
  /** Channels that are used and configured. */
  used: Map<string, ChannelFacts>;
}

/** Stand-ins for what has a fault: the rest of the flow is checked nevertheless. */
const someTime: Duration = { months: 0, ms: 1 };
const noContent: CompiledContent = { base: {}, locales: new Map() };

export const asText = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** Where a stage stands. */
interface Place {
  id: string;
  index: number;
  next?: string;
}

export function compileStage(compilation: Compilation, source: object, place: Place, at: string): CompiledStage {
  const type = own(source, 'type');
  if (type === 'message') return compileMessage(compilation, source, place, at);
  if (type === 'wait') return { type, ...place, for: compileDuration(compilation, own(source, 'for'), `${at}.for`) };
  const outcome = asText(own(source, 'outcome'));
  if (type !== 'end')
    compilation.faults.add('stage_invalid', `${at}.type`, () => `is none of ${listed(['message', 'wait', 'end'])}`);
  else if (outcome === undefined) compilation.faults.add('stage_invalid', `${at}.outcome`, () => 'is not a word');
  return { type: 'end', id: place.id, index: place.index, outcome: outcome ?? '' };
}

function compileMessage(compilation: Compilation, source: object, place: Place, at: string): CompiledMessage {
  const channel = asText(own(source, 'channel')) ?? '';
  const facts = compileChannel(compilation, channel, `${at}.channel`);
  const written = own(source, 'content');
  const content = compileOwnContent(compilation, written, facts, `${at}.content`);
  const delay = own(source, 'delay');
  const waitForReply = own(source, 'waitForReply');
  const base = { channel, facts, written, content };
  return {
    type: 'message',
    ...place,
    channel,
    content,
    ...(delay === undefined ? {} : { delay: compileDuration(compilation, delay, `${at}.delay`) }),
    followUps: compileFollowUps(compilation, own(source, 'followUps') ?? [], base, `${at}.followUps`),
    ...(waitForReply === undefined
      ? {}
      : { waitForReply: compileDuration(compilation, waitForReply, `${at}.waitForReply`) }),
    on: compileTargets(compilation, own(source, 'on') ?? {}, `${at}.on`),
  };
}

/** What a follow-up takes from its stage where it says nothing itself. */
interface StageBase {
  channel: string;
  facts: ChannelFacts | undefined;
  written: unknown;
  content: CompiledContent;
}

function compileFollowUps(
  compilation: Compilation,
  sources: unknown,
  stage: StageBase,
  path: string,
): CompiledFollowUp[] {
  if (!Array.isArray(sources)) {
    compilation.faults.add('stage_invalid', path, () => 'is not a list');
    return [];
  }
  return sources.flatMap((source: unknown, index) => {
    const at = `${path}[${index}]`;
    if (isPlain(source)) return [compileFollowUp(compilation, source, stage, at)];
    compilation.faults.add('stage_invalid', at, () => 'is not an object');
    return [];
  });
}

function compileFollowUp(compilation: Compilation, source: object, stage: StageBase, at: string): CompiledFollowUp {
  const after = compileDuration(compilation, own(source, 'after'), `${at}.after`);
  const named = own(source, 'channel');
  const channel = named === undefined ? stage.channel : (asText(named) ?? '');
  const facts = named === undefined ? stage.facts : compileChannel(compilation, channel, `${at}.channel`);
  const written = own(source, 'content');
  if (written !== undefined) {
    return { after, channel, content: compileOwnContent(compilation, written, facts, `${at}.content`) };
  }
  if (named !== undefined) checkNeeds(compilation, stage.written, facts, () => `${at}.channel`, true);
  return { after, channel, content: stage.content };
}

function compileChannel(compilation: Compilation, name: string, path: string): ChannelFacts | undefined {
  const { channels, faults, used } = compilation;
  const facts = channels.get(name);
  if (facts !== undefined) used.set(name, facts);
  else {
    faults.add('channel_unknown', path, () => {
      const names = [...channels.keys()].sort();
      const known = names.length === 0 ? 'None is configured.' : `Configured: ${listed(names)}`;
      return `there is no channel ${JSON.stringify(name.slice(0, 80))}.${suggestion(name, names)} ${known}`;
    });
  }
  return facts;
}

function compileOwnContent(
  compilation: Compilation,
  written: unknown,
  facts: ChannelFacts | undefined,
  path: string,
): CompiledContent {
  const { content, faults } = compileContent(written as Content, path);
  for (const fault of faults) compilation.faults.add(fault.code, fault.path, () => fault.message);
  checkNeeds(compilation, written, facts, (at) => path + at, false);
  checkLinks(compilation, written, path);
  return content ?? noContent;
}

function checkLinks({ lackingLinks, faults }: Compilation, written: unknown, path: string): void {
  if (lackingLinks.length === 0) return;
  for (const use of linkUses(written, path).filter(({ field }) => lackingLinks.includes(field))) {
    faults.add(
      'unsubscribe_missing',
      use.path,
      () => `prints unsubscribe.${use.field}, and the campaign's unsubscribe has no ${use.field}`,
    );
  }
}

/** Reports the variants of a content that have nothing of what the channel needs; `pathOf` gets their path below the content. */
function checkNeeds(
  compilation: Compilation,
  written: unknown,
  facts: ChannelFacts | undefined,
  pathOf: (at: string) => string,
  onlyFirst: boolean,
): void {
  if (facts === undefined || facts.needs.length === 0 || !isPlain(written)) return;
  const lacking = completeVariants(written)
    .map(({ at, content }) => ({ at, fields: contentFields(content) }))
    .filter(({ fields }) => !facts.needs.some((field) => fields.includes(field)));
  // What the base lacks its variants mostly lack too: one fault is enough.
  const shown = onlyFirst || lacking[0]?.at === '' ? lacking.slice(0, 1) : lacking;
  for (const { at, fields } of shown) {
    const has = fields.length === 0 ? 'nothing' : fields.join(', ');
    compilation.faults.add(
      'content_missing',
      pathOf(at),
      () => `channel ${JSON.stringify(facts.name)} needs ${facts.needs.join(' or ')}; the content has ${has}`,
    );
  }
}

function compileDuration(compilation: Compilation, text: unknown, path: string): Duration {
  const duration = typeof text === 'string' ? parseDuration(text) : undefined;
  if (duration !== undefined && isPositive(duration)) return duration;
  const wrong = duration === undefined ? 'is no ISO 8601 duration' : 'is not longer than zero';
  const written = typeof text === 'string' ? `${JSON.stringify(text.slice(0, 80))} ` : '';
  compilation.faults.add(
    'duration_invalid',
    path,
    () => `${written}${wrong}; write P3D for three days, PT90M for 90 minutes`,
  );
  return someTime;
}

function compileTargets(compilation: Compilation, sources: unknown, path: string): Record<string, string> {
  const targets: Record<string, string> = Object.create(null);
  if (!isPlain(sources)) {
    compilation.faults.add('stage_invalid', path, () => 'is not an object');
    return targets;
  }
  for (const [event, target] of Object.entries(sources)) {
    if (typeof target === 'string') targets[event] = target;
    else compilation.faults.add('stage_invalid', joinPath(path, event), () => 'is not the id of a stage');
  }
  return targets;
}
