import type { Conversation } from './model.ts';

/**
 * What a document does not have is in memory as undefined: documents of a kind have one shape then, which makes copies of
 * them cheap. Stores write no undefined, and compare it as absent.
 */
export const absent = undefined as never;

/** The same conversation with every field we know, in one order. What others added to the document is left out: no write of ours touches it. */
export const inShape = (from: Conversation): Conversation & Record<keyof Conversation, unknown> => ({
  _id: from._id,
  campaignId: from.campaignId,
  tenant: from.tenant ?? absent,
  contact: from.contact,
  partition: from.partition,
  version: from.version,
  status: from.status,
  stage: from.stage,
  step: from.step,
  flowVersion: from.flowVersion ?? absent,
  migration: from.migration ?? absent,
  nextActionAt: from.nextActionAt ?? absent,
  nextChannel: from.nextChannel ?? absent,
  opening: from.opening ?? absent,
  fallback: from.fallback ?? absent,
  delayed: from.delayed ?? absent,
  entries: from.entries ?? absent,
  sequence: from.sequence,
  awaiting: from.awaiting ?? absent,
  addresses: from.addresses ?? absent,
  outcome: from.outcome ?? absent,
  repliedAt: from.repliedAt ?? absent,
  reason: from.reason ?? absent,
  variant: from.variant ?? absent,
  variables: from.variables ?? absent,
  event: from.event ?? absent,
  ledAfter: from.ledAfter ?? absent,
  escalation: from.escalation ?? absent,
  error: from.error ?? absent,
  inbox: from.inbox,
  consumed: from.consumed,
  history: from.history ?? [],
  trace: from.trace ?? absent,
  expireAt: from.expireAt ?? absent,
  createdAt: from.createdAt,
  updatedAt: from.updatedAt,
});
