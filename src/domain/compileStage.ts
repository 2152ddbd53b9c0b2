/** One stage of a flow, compiled as far as it can be: what is wrong goes to the faults, with a stand-in in its place. */
import { compileBranch, compileSplit } from './compileChoice.ts';
import { compileMessage } from './compileMessage.ts';
import {
  asText,
  type Compilation,
  compileChannel,
  compileOn,
  compileOwnContent,
  noContent,
  optionalDuration,
  optionalTarget,
  type StagePlace,
} from './compileParts.ts';
import { compileWait } from './compileWait.ts';
import { type CompiledContent, compileContent } from './content.ts';
import type { CompiledEnd, CompiledEscalate, CompiledNotification, CompiledStage, CompiledWebhook } from './flow.ts';
import { listed } from './flowChecks.ts';
import { isPlain, own } from './plain.ts';

type Compile = (compilation: Compilation, source: object, place: StagePlace, at: string) => CompiledStage;

const byType: Readonly<Record<string, Compile>> = {
  message: compileMessage,
  wait: compileWait,
  branch: compileBranch,
  split: compileSplit,
  escalate: compileEscalate,
  webhook: compileWebhook,
  end: compileEnd,
};

export function compileStage(compilation: Compilation, source: object, place: StagePlace, at: string): CompiledStage {
  const type = own(source, 'type');
  const compile = typeof type === 'string' && Object.hasOwn(byType, type) ? byType[type] : undefined;
  if (compile !== undefined) return compile(compilation, source, place, at);
  compilation.faults.add('stage_invalid', `${at}.type`, () => `is none of ${listed(Object.keys(byType))}`);
  return { type: 'end', id: place.id, index: place.index, outcome: '' };
}

function compileEnd(compilation: Compilation, source: object, { id, index }: StagePlace, at: string): CompiledEnd {
  const outcome = asText(own(source, 'outcome'));
  if (outcome === undefined) compilation.faults.add('stage_invalid', `${at}.outcome`, () => 'is not a word');
  return { type: 'end', id, index, outcome: outcome ?? '' };
}

function compileEscalate(compilation: Compilation, source: object, place: StagePlace, at: string): CompiledEscalate {
  const to = asText(own(source, 'to')) ?? '';
  if (to === '') compilation.faults.add('stage_invalid', `${at}.to`, () => 'is missing: say who takes over');
  const reason = asText(own(source, 'reason'));
  const notify = own(source, 'notify');
  const after = optionalDuration(compilation, source, 'after', at);
  const onTimeout = optionalTarget(compilation, source, 'onTimeout', at);
  if (onTimeout['onTimeout'] !== undefined && after['after'] === undefined)
    compilation.faults.add('stage_invalid', `${at}.onTimeout`, () => 'is of no use without after');
  return {
    ...{ type: 'escalate', ...place, to, ...(reason === undefined ? {} : { reason }) },
    ...(notify === undefined ? {} : { notify: compileNotification(compilation, notify, `${at}.notify`) }),
    ...{ ...after, ...onTimeout, on: compileOn(compilation, source, at) },
  };
}

function compileNotification(compilation: Compilation, source: unknown, at: string): CompiledNotification {
  if (!isPlain(source)) {
    compilation.faults.add('stage_invalid', at, () => 'is not an object');
    return { channel: '', to: noContent, content: noContent };
  }
  const channel = asText(own(source, 'channel')) ?? '';
  const facts = compileChannel(compilation, channel, `${at}.channel`);
  const content = compileOwnContent(compilation, own(source, 'content'), facts, `${at}.content`);
  return { channel, to: compileText(compilation, own(source, 'to'), `${at}.to`), content };
}

/** A text with templates in it, as the `text` of a content. */
function compileText(compilation: Compilation, source: unknown, path: string): CompiledContent {
  const { content, faults } = compileContent({ text: source as string }, path);
  for (const { code, message } of faults) compilation.faults.add(code, path, () => message);
  if (source === undefined || source === '') compilation.faults.add('stage_invalid', path, () => 'is missing');
  return content ?? noContent;
}

function compileWebhook(compilation: Compilation, source: object, place: StagePlace, at: string): CompiledWebhook {
  const channel = asText(own(source, 'channel')) ?? '';
  const body = own(source, 'body');
  const to = own(source, 'to');
  const facts = compileChannel(compilation, channel, `${at}.channel`);
  if (facts?.address === 'email')
    compilation.faults.add(
      'stage_invalid',
      `${at}.channel`,
      () => `${JSON.stringify(channel)} sends mail, and no webhooks`,
    );
  if (body === undefined) compilation.faults.add('content_missing', `${at}.body`, () => 'is missing');
  const { content, faults } = compileContent({ body }, at);
  for (const { code, path, message } of faults) compilation.faults.add(code, path, () => message);
  return {
    ...{ type: 'webhook', ...place, channel, content: content ?? noContent, keep: own(source, 'keep') === true },
    ...(to === undefined ? {} : { to: compileText(compilation, to, `${at}.to`) }),
    on: compileOn(compilation, source, at),
  };
}
