/** A message stage, compiled. */
import type { ChannelFacts } from './channelPorts.ts';
import {
  asText,
  type Compilation,
  checkNeeds,
  compileChannel,
  compileDuration,
  compileOn,
  compileOwnContent,
  optionalDuration,
  type StagePlace,
} from './compileParts.ts';
import { compileSendWindow } from './compileSendWindow.ts';
import type { CompiledContent } from './content.ts';
import type { CompiledFallback, CompiledFollowUp, CompiledMessage } from './flow.ts';
import { isPlain, own } from './plain.ts';

export function compileMessage(
  compilation: Compilation,
  source: object,
  place: StagePlace,
  at: string,
): CompiledMessage {
  const channel = asText(own(source, 'channel')) ?? '';
  const facts = compileChannel(compilation, channel, `${at}.channel`);
  const written = own(source, 'content');
  const content = compileOwnContent(compilation, written, facts, `${at}.content`);
  const base = { channel, facts, written, content };
  const fallback = compileFallback(compilation, own(source, 'fallback'), base, `${at}.fallback`);
  return {
    type: 'message',
    ...place,
    channel,
    content,
    ...optionalDuration(compilation, source, 'delay', at),
    followUps: compileFollowUps(
      compilation,
      own(source, 'followUps') ?? [],
      { ...base, ...fallback },
      `${at}.followUps`,
    ),
    ...(fallback && { fallback: fallback.fallback }),
    ...optionalDuration(compilation, source, 'waitForReply', at),
    ...windowOf(compilation, own(source, 'sendWindow'), `${at}.sendWindow`),
    on: compileOn(compilation, source, at),
  };
}

/** Its own window goes before the campaign's; a transactional campaign has none, and what is written is checked nevertheless. */
function windowOf({ timing, faults }: Compilation, written: unknown, path: string): Pick<CompiledMessage, 'window'> {
  const compiled =
    written === undefined ? { window: timing.window, faults: [] } : compileSendWindow(written, path, timing.holidays);
  for (const fault of compiled.faults) faults.add(fault.code, fault.path, () => fault.message);
  return compiled.window === undefined || timing.transactional ? {} : { window: compiled.window };
}

/** What a follow-up takes from its stage where it says nothing itself. */
interface StageBase {
  channel: string;
  facts: ChannelFacts | undefined;
  written: unknown;
  content: CompiledContent;
  /** Of the channel of its fallback. */
  fallbackFacts?: ChannelFacts | undefined;
}

function compileFallback(
  compilation: Compilation,
  source: unknown,
  stage: StageBase,
  at: string,
): { fallback: CompiledFallback; fallbackFacts: ChannelFacts | undefined } | undefined {
  if (source === undefined) return undefined;
  if (!isPlain(source)) {
    compilation.faults.add('stage_invalid', at, () => 'is not an object');
    return undefined;
  }
  const channel = asText(own(source, 'channel')) ?? '';
  const fallbackFacts = compileChannel(compilation, channel, `${at}.channel`);
  if (fallbackFacts !== undefined && channel === stage.channel)
    compilation.faults.add('stage_invalid', `${at}.channel`, () => 'is the channel of the stage: name another one');
  const written = own(source, 'content');
  if (written === undefined) checkNeeds(compilation, stage.written, fallbackFacts, () => `${at}.channel`, true);
  const content =
    written === undefined ? stage.content : compileOwnContent(compilation, written, fallbackFacts, `${at}.content`);
  return { fallback: { channel, content, ...optionalDuration(compilation, source, 'after', at) }, fallbackFacts };
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
    const content = compileOwnContent(compilation, written, facts, `${at}.content`);
    if (channel === stage.channel)
      checkNeeds(compilation, written, stage.fallbackFacts, (below) => `${at}.content${below}`, true);
    return { after, channel, content };
  }
  if (named !== undefined) checkNeeds(compilation, stage.written, facts, () => `${at}.channel`, true);
  return { after, channel, content: stage.content };
}
