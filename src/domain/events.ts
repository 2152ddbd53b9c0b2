/** What the events of an inbox do to a conversation: the rules of the flow first, then the stage it stands in. */
import { everyTopic } from './addresses.ts';
import type { Draft } from './draft.ts';
import { endEscalation, escalate } from './escalation.ts';
import { givesWay, isReplaced } from './fallback.ts';
import type { CompiledRule } from './flow.ts';
import { goOn } from './goingOn.ts';
import { isObjectId, sequenceOf } from './ids.ts';
import type { InboxEvent, Message } from './model.ts';
import { isPlain, own } from './plain.ts';
import { printable } from './printable.ts';
import { failedAfterAll, isOnlyStamp, type Receipt, receiptTarget, recordReceipt } from './receipts.ts';
import { isReplay, takeReplay } from './replay.ts';
import { arriveAt } from './stages.ts';
import { stageAfter } from './standing.ts';
import { type Heeded, heed, isSoft, standsOn, suppressOn } from './suppression.ts';
import { learnWhereabouts } from './whereabouts.ts';

function eventKey(event: InboxEvent): string | undefined {
  const id: unknown = event.id;
  if (typeof id === 'string') return id;
  if (typeof id === 'number') return `#${id}`;
  return isObjectId(id) ? id.toHexString() : undefined;
}

/** The first of the inbox, whatever is there. `rows`: those it may name. */
export function takeEvent(draft: Draft, raw: unknown, rows: readonly Message[], inFlight: boolean): void {
  if (typeof raw !== 'object' || raw === null || typeof (raw as InboxEvent).type !== 'string') {
    draft.deadLetter('event_invalid', 'an event of `inbox` is an object with a string `type`', raw);
    draft.apply({ type: 'unreadable' });
    return;
  }
  const event = raw as InboxEvent;
  const key = eventKey(event);
  const repeated = key !== undefined && draft.state.consumed.includes(key);
  if (repeated) {
    draft.apply({ type: 'repeated' });
    return;
  }
  if (isReplay(event)) {
    draft.apply({ type: 'consumed', key, event, isQuiet: true });
    takeReplay(draft, event, rows, inFlight);
    return;
  }
  const receipt = recordReceipt(draft, event, rows);
  // what only stamps its row is remembered there: any number of them drives out nothing that has to be remembered here
  const isStamp = receipt !== undefined && isOnlyStamp(draft.context.flow, event.type);
  draft.apply({ type: 'consumed', key: isStamp ? undefined : key, event, isQuiet: isStamp && receipt.isRepeated });
  const heeded = heed(draft, event, receipt?.row);
  if (event.machine === true) return;
  learnWhereabouts(draft, event);
  if (isResume(draft, event)) resume(draft, event);
  else if (draft.state.status === 'active') follow(draft, event, heeded, receipt);
  else if (event.type === 'resume' && draft.state.status === 'escalated')
    draft.deadLetter('resume_too_late', 'its campaign is over: nobody goes on in it', event);
}

/** Events that suppress where the author has no other way for them. */
const endings: ReadonlyMap<string, string> = new Map([
  ['bounce', 'bounced'],
  ['complaint', 'complained'],
  ['unsubscribe', 'unsubscribed'],
]);

/** Where an event leads a conversation that is active. `receipt`: the message it is about, and whether that was known. */
export function follow(draft: Draft, event: InboxEvent, heeded: Heeded, receipt: Receipt | undefined): void {
  const { type, channel, isOthers } = heeded;
  // what became of a message to somebody else says nothing of the contact, and who leaves another topic stays in this one
  if (isOthers) return;
  const { flow } = draft.context;
  const { row, isRepeated = false } = receipt ?? {};
  const stageId = draft.state.stage;
  const stage = flow.stages.get(stageId);
  if (type === 'reply') {
    if (event.auto === true) return;
    if (draft.state.repliedAt === undefined) {
      draft.count('replied');
      draft.countVariants('replied');
    }
    draft.count(`stages.${stageId}.replied`);
    draft.apply({ type: 'replied', at: draft.now });
  }
  const rule = flow.rules.find(({ on, query }) => on === type && (query?.matches(draft.subject(event)) ?? true));
  if (rule !== undefined && !isRepeated) {
    obey(draft, rule, event, heeded);
    return;
  }
  const isLost = type === 'failed' || (type === 'bounce' && !isSoft(event));
  if (isLost && row !== undefined && (isReplaced(draft, row) || (!isRepeated && fallsBackAfterAll(draft, row)))) return;
  const isEnd = type === 'failed' || endings.has(type);
  // what became of a message moves the stage that sent it, or one that waits for just that
  if (row !== undefined && row.stage !== stageId && stage?.type === 'message' && !isEnd) return;
  const target = receiptTarget(flow, stageId, type, row);
  const optOut = type === 'unsubscribe' || type === 'complaint';
  if (target !== undefined && !optOut) {
    if (!isRepeated && mayMove(draft, type, row)) moveBy(draft, event, target);
  } else if (stage?.type === 'wait' && stage.waitFor.kind === 'event' && stage.waitFor.event === type) {
    draft.apply({ type: 'heard', event });
    draft.skipAwaited('replied');
    goOn(draft, stage, draft.now);
  } else if (type === 'reply') {
    // with a person, a reply is theirs to answer
    if (stage?.type !== 'escalate') draft.end({ status: 'completed', outcome: 'replied' }, 'replied');
  } else if (type === 'failed') {
    if (!isRepeated) failedAfterAll(draft, row);
  } else {
    const outcome = endings.get(type);
    if (outcome === undefined || (type === 'bounce' && isSoft(event)) || !standsOn(draft, channel)) return;
    draft.end({ status: 'suppressed', outcome, reason: 'suppressed' }, 'suppressed');
  }
}

/** The provider took a message, and says now that it cannot be delivered: the fallback of its stage takes its place. */
function fallsBackAfterAll(draft: Draft, row: Message): boolean {
  const isAwaited = draft.state.awaiting === row._id;
  if (stageAfter(draft, row) === undefined || !givesWay(draft, row, 'provider_rejected')) return false;
  // it was to be tried again
  if (isAwaited) draft.skipRow(row, 'superseded');
  return true;
}

/** A failure that is told late leads nowhere once another message went out; a bounce does, for the address is gone. */
const mayMove = ({ state }: Draft, type: string, row: Message | undefined): boolean =>
  type !== 'failed' || row === undefined || sequenceOf(row._id) === state.sequence;

/** Where an event leads; a row that waits for another try is not sent any more. */
function moveBy(draft: Draft, event: InboxEvent, target: string): void {
  draft.apply({ type: 'heard', event });
  const place = arriveAt(draft.context.flow, target, draft.now, draft.scope);
  if (place === undefined) return;
  draft.skipAwaited('replied');
  endEscalation(draft, 'resumed');
  draft.moveTo(place);
}

function obey(draft: Draft, { action }: CompiledRule, event: InboxEvent, { channel }: Heeded): void {
  if (action.goto !== undefined) moveBy(draft, event, action.goto);
  else if (action.end !== undefined) draft.end({ status: 'completed', outcome: action.end }, 'replied');
  else if (action.escalate !== undefined) {
    draft.apply({ type: 'heard', event });
    draft.skipAwaited('replied');
    endEscalation(draft, 'closed');
    escalate(draft, action.escalate);
    draft.end({ status: 'escalated', outcome: 'escalated' }, 'replied');
  } else {
    suppressOn(draft, channel, { reason: 'rule', topic: everyTopic });
    draft.end({ status: 'suppressed', outcome: 'suppressed', reason: 'suppressed' }, 'suppressed');
  }
}

// ---------------------------------------------------------------- back from a person

/** Whoever took a conversation over gives it back; elsewhere `resume` is a word of the author like any other. */
function isResume({ state, context }: Draft, { type }: InboxEvent): boolean {
  if (type !== 'resume') return false;
  if (state.status === 'escalated') return context.stopped === undefined && context.isOver !== true;
  return (
    state.status === 'active' &&
    context.flow.stages.get(state.stage)?.type === 'escalate' &&
    state.escalation !== undefined
  );
}

function resume(draft: Draft, event: InboxEvent): void {
  const { flow } = draft.context;
  const named = stageNamed(event);
  if (named !== undefined && !(typeof named === 'string' && flow.stages.has(named))) {
    const stages = [...flow.stages.keys()].slice(0, 20).join(', ');
    draft.deadLetter('event_invalid', `resume names stage ${printable(named)}, and the flow has ${stages}`, event);
    return;
  }
  const stage = flow.stages.get(draft.state.stage);
  draft.apply({ type: 'heard', event });
  draft.skipAwaited('replied');
  endEscalation(draft, 'resumed');
  if (draft.state.status === 'escalated') draft.reopen();
  const place = typeof named === 'string' ? arriveAt(flow, named, draft.now, draft.scope) : undefined;
  if (place !== undefined) draft.moveTo(place);
  else if (stage !== undefined && stage.type !== 'end') goOn(draft, stage, draft.now);
  else draft.end({ status: 'completed', outcome: 'finished' }, 'stopped');
}

/** In the event itself, or in its `data`. */
function stageNamed(event: InboxEvent): unknown {
  const { data } = event;
  return own(event, 'stage') ?? (isPlain(data) ? own(data, 'stage') : undefined);
}
