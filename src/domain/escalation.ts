/** A conversation that is handed to a person: the document they find, and how it ends. */
import type { Draft } from './draft.ts';
import type { EscalationChange } from './model.ts';

/** Writes the document by which a person learns of it; the transcript is put in when it is written. */
export function escalate(draft: Draft, { to, reason, until }: { to: string; reason?: string; until?: number }): void {
  const { state, context, now } = draft;
  // a conversation is written once by a version, and may be handed over more than once by what was in its inbox
  const before = draft.escalations.filter(({ kind }) => kind === 'opened').length;
  const id = `${state._id}/e${state.version + 1}${before > 0 ? `.${before + 1}` : ''}`;
  draft.escalations.push({
    kind: 'opened',
    document: {
      _id: id,
      campaignId: context.campaignId,
      conversationId: state._id,
      ...(state.tenant === undefined ? {} : { tenant: state.tenant }),
      contact: state.contact,
      stage: state.stage,
      to,
      ...(reason === undefined ? {} : { reason }),
      status: 'open',
      ...(until === undefined ? {} : { expiresAt: new Date(until) }),
      transcript: [],
      createdAt: new Date(now),
    },
    sequence: state.sequence,
  });
  draft.apply({ type: 'escalated', id, to });
}

/** The one that is open, if one is. */
export function endEscalation(draft: Draft, status: 'resumed' | 'expired' | 'closed'): void {
  const { escalation } = draft.state;
  if (escalation === undefined) return;
  const change: EscalationChange = { kind: 'ended', id: escalation, set: { status, endedAt: new Date(draft.now) } };
  draft.escalations.push(change);
  draft.apply({ type: 'de_escalated' });
}
