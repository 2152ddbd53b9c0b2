/** What the parts of a flow have in common when they are compiled: what is wrong goes to the faults, with a stand-in in its place. */
import type { ChannelFacts } from './channelPorts.ts';
import type { Timing } from './compileSchedule.ts';
import { type CompiledContent, compileContent, completeVariants, contentFields } from './content.ts';
import { type Faults, listed, suggestion } from './flowChecks.ts';
import type { Content } from './model.ts';
import { isPlain, joinPath, own } from './plain.ts';
import { type CompiledQuery, compileQuery } from './query.ts';
import { type Duration, isPositive, parseDuration } from './timing.ts';
import { type LinkField, linkUses } from './unsubscribe.ts';

/** What one compilation gathers. */
export interface Compilation {
  channels: ReadonlyMap<string, ChannelFacts>;
  lackingLinks: readonly LinkField[];
  timing: Timing;
  faults: Faults;
  /** Channels that are used and configured. */
  used: Map<string, ChannelFacts>;
}

/** Stand-ins for what has a fault: the rest of the flow is checked nevertheless. */
const someTime: Duration = { months: 0, ms: 1 };
export const noContent: CompiledContent = { base: {}, locales: new Map() };

export const asText = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** Where a stage stands. */
export interface StagePlace {
  id: string;
  index: number;
  next?: string;
}

export function compileChannel(compilation: Compilation, name: string, path: string): ChannelFacts | undefined {
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

export function compileOwnContent(
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
export function checkNeeds(
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

export function compileDuration(compilation: Compilation, text: unknown, path: string): Duration {
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

export function compileOn(compilation: Compilation, source: object, at: string): Record<string, string> {
  const path = `${at}.on`;
  const sources = own(source, 'on') ?? {};
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

/** A duration that may be left out. */
export const optionalDuration = (
  compilation: Compilation,
  source: object,
  field: string,
  at: string,
): { [field: string]: Duration } => {
  const text = own(source, field);
  return text === undefined ? {} : { [field]: compileDuration(compilation, text, `${at}.${field}`) };
};

/** The id of a stage that may be left out. */
export function optionalTarget(
  compilation: Compilation,
  source: object,
  field: string,
  at: string,
): { [field: string]: string } {
  const target = own(source, field);
  if (typeof target === 'string') return { [field]: target };
  if (target !== undefined) compilation.faults.add('stage_invalid', `${at}.${field}`, () => 'is not the id of a stage');
  return {};
}

/** A condition that may be left out. */
export function optionalQuery(compilation: Compilation, source: object, at: string): { query?: CompiledQuery } {
  const when = own(source, 'when');
  if (when === undefined) return {};
  const { query, faults } = compileQuery(when, `${at}.when`);
  for (const fault of faults) compilation.faults.add(fault.code, fault.path, () => fault.message);
  return query ? { query } : {};
}
