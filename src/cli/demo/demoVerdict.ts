/** Do the figures add up? Every claim of the demo is checked against a second, independent count. */
import type { Metrics } from '../../domain/model.ts';
import { count } from '../output.ts';
import type { Endings, Tally } from './demoFigures.ts';

export interface Facts {
  /** Contacts who agreed to be written to. */
  contacts: number;
  /** Of the campaign document. */
  status: string;
  metrics: Partial<Metrics> | undefined;
  endings: Endings;
  tally: Tally;
  /** Messages the provider accepted, each key once. */
  accepted: number;
  /** Replies pushed to inboxes. */
  replies: number;
  repliesFailure: string | undefined;
}

export interface Check {
  ok: boolean;
  /** What was compared, with its figures: reads well both when it holds and when not. */
  text: string;
}

const sum = (values: Record<string, number>): number =>
  Object.values(values).reduce((total, value) => total + value, 0);
const endedStatuses = ['completed', 'escalated', 'failed', 'suppressed', 'cancelled'] as const;

export function judge(facts: Facts): Check[] {
  const { contacts, endings, tally, metrics } = facts;
  const conversations = sum(endings.statuses);
  const ended = endedStatuses.reduce((total, status) => total + (endings.statuses[status] ?? 0), 0);
  const metricsEnded = endedStatuses.reduce((total, status) => total + (metrics?.[status] ?? 0), 0);
  const statusesAgree = endedStatuses.every((status) => (metrics?.[status] ?? 0) === (endings.statuses[status] ?? 0));
  const replyError = facts.repliesFailure === undefined ? '' : ` (${facts.repliesFailure})`;
  return [
    { ok: facts.status === 'completed', text: `the campaign is ${facts.status}` },
    {
      ok: conversations === contacts && ended === contacts,
      text: `${count(contacts)} contacts agreed, ${count(conversations)} conversations, ${count(ended)} of them ended`,
    },
    {
      ok: metrics?.total === contacts && metricsEnded === contacts && statusesAgree,
      text: `metrics.total ${count(metrics?.total ?? 0)} = ${count(metricsEnded)} over all outcomes, as counted in conversation_states`,
    },
    {
      ok: metrics?.messages?.sent === tally.sent,
      text: `metrics.messages.sent ${count(metrics?.messages?.sent ?? 0)} = ${count(tally.sent)} rows of messages that were sent`,
    },
    {
      ok: tally.lost === 0 && tally.unrecorded === 0 && facts.accepted === tally.sent,
      text: `${count(facts.accepted)} messages at the provider, ${count(tally.lost)} lost, ${count(tally.unrecorded)} unrecorded`,
    },
    { ok: tally.repeated === 0, text: `${count(tally.repeated)} repeated, by Idempotency-Key` },
    { ok: tally.changed === 0, text: `${count(tally.changed)} keys whose tries differed in their bytes` },
    {
      ok: endings.heard === facts.replies && facts.repliesFailure === undefined,
      text: `${count(facts.replies)} replies pushed, ${count(endings.heard)} consumed${replyError}`,
    },
  ];
}
