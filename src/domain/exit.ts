/** `exitWhen`: whoever fits it leaves the campaign instead of getting its next message. */
import { fieldNames } from './contact.ts';
import { conversationScope, type Draft } from './draft.ts';
import type { Fault } from './errors.ts';
import type { PinnedAudience } from './model.ts';
import { isPlain } from './plain.ts';
import { type CompiledQuery, compileQuery } from './query.ts';

/** What a path of `exitWhen` begins with. */
const roots = ['contact', 'conversation'];

export const compileExit = (exitWhen: unknown): { query?: CompiledQuery | undefined; faults: Fault[] } =>
  exitWhen === undefined ? { faults: [] } : compileQuery(exitWhen, 'exitWhen', roots);

/** Ends the conversation if it fits the campaign's `exitWhen`; a row that waits is skipped. */
export function exits(draft: Draft): boolean {
  const { exitWhen } = draft.context;
  if (exitWhen === undefined) return false;
  const { state, fresh = state.contact } = draft;
  if (!exitWhen.matches({ contact: fresh, conversation: conversationScope(state) })) return false;
  if (state.status !== 'active') draft.skipAwaited('exit_condition');
  else draft.end({ status: 'completed', outcome: 'exit_condition', reason: 'exit_condition' }, 'exit_condition');
  return true;
}

/** Where the documents of contacts are, to be read again. */
export interface ContactSource {
  collection: string;
  /** The field (dotted) that is the contact's id. */
  idPath: string;
  /** Top fields of a document that its contact is made of. */
  fields: string[];
}

/** Undefined where contacts have no documents of their own, or none can be found by a contact's id. */
export function contactSource(audience: PinnedAudience): ContactSource | undefined {
  if (audience.kind !== 'collection') return undefined;
  const { collection, map } = audience;
  const { id = '$_id' } = map;
  if (typeof id !== 'string' || !id.startsWith('$')) return undefined;
  const paths = ['_id', ...fieldNames, ...pathsOf(map)];
  return {
    collection,
    idPath: id.slice(1),
    fields: [...new Set(paths.map((path) => path.split('.', 1)[0] as string))],
  };
}

function pathsOf(rule: unknown): string[] {
  if (typeof rule === 'string') return rule.length > 1 && rule.startsWith('$') ? [rule.slice(1)] : [];
  if (Array.isArray(rule)) return rule.flatMap(pathsOf);
  return isPlain(rule) ? Object.values(rule).flatMap(pathsOf) : [];
}
