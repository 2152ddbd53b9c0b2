/** One member's rounds over the in-memory store: the real pipelines but for Rx, a channel that answers when told. */

import type { Channel, ChannelFacts, SendResult } from '../../../src/domain/channelPorts.ts';
import { newConversation } from '../../../src/domain/conversation.ts';
import type { Conversation, Flow, Message, Run, StreamPosition } from '../../../src/domain/model.ts';
import type { RowResult } from '../../../src/domain/outbox.ts';
import type { Tracer } from '../../../src/domain/tracePorts.ts';
import { Dispatch } from '../../../streams/dispatch.ts';
import { Ownership } from '../../../streams/ownership.ts';
import { Round, type RoundInput } from '../../../streams/round.ts';
import { Runs } from '../../../streams/runs.ts';
import { Schedule } from '../../../streams/schedule.ts';
import { manualClock } from '../../support/clock.ts';
import { recordingInstruments, recordingLogger } from '../../support/fakes.ts';
import { MemoryCampaigns } from '../../support/memory/campaigns.ts';
import { MemoryConversations } from '../../support/memory/conversations.ts';
import { MemoryDatabase } from '../../support/memory/database.ts';
import { MemoryLedger } from '../../support/memory/ledger.ts';
import { MemoryLimits } from '../../support/memory/limits.ts';
import { contextOf, facts } from '../domain/given.ts';

export const away = (): Error => Object.assign(new Error('away'), { away: true });

/** Lets every promise and `clock.after(0)` that is ready settle. */
export const settle = (clock: ReturnType<typeof manualClock>): Promise<void> => clock.advanceAsync(0);

export async function member(
  stages: unknown[],
  contacts: string[] = ['ada'],
  more: Partial<ChannelFacts> = {},
  concurrency = 16,
  inDoubt = 2 * concurrency,
  names: readonly string[] = ['sms'],
  tracing: { tracer?: Tracer; traceparent?: string } = {},
) {
  const clock = manualClock();
  const database = new MemoryDatabase({ clock });
  database.members.insert({
    ...{ _id: 'm1', host: 'test', thread: 0, beat: 0, filterVersion: 1, channels: [], version: '0' },
    startedAt: new Date(clock.now()),
  });
  const ledger = new MemoryLedger({
    database,
    memberId: 'm1',
    clock,
    position: (): StreamPosition | undefined => undefined,
  });
  await ledger.beat();
  const store = new MemoryConversations({ database, ledger, clock });
  const campaigns = new MemoryCampaigns({ database, ledger, clock });
  const logger = recordingLogger();
  const instruments = recordingInstruments();
  const wire: { id: string; answer: (result: SendResult) => void }[] = [];
  const channel = (name: string): Channel => ({
    ...facts(name, 'phone', more),
    concurrency,
    send: async ({ messageId }, _, mayBegin = () => true) =>
      mayBegin()
        ? new Promise((answer) => wire.push({ id: messageId, answer }))
        : { kind: 'retry', code: 'not_begun', message: '', counts: false },
    close: async () => {},
  });
  const channels = new Map(names.map((name) => [name, channel(name)]));
  const put = (id: string, own = stages): void => {
    const flow = { stages: own } as Flow;
    const expansion = { expanded: contacts.length, skipped: {}, done: true };
    const at = new Date(clock.now());
    const run: Run = {
      ...{
        _id: id,
        partition: 0,
        status: 'running',
        settled: false,
        priority: 5,
        flow,
        variables: { product: 'Compass' },
      },
      ...{ campaign: { id }, audience: { kind: 'inline' }, expansion, wake: 1, createdAt: at, updatedAt: at },
    };
    database.runs.insert(run);
    database.campaigns.insert({ _id: id, status: 'running', audience: { contacts: [] } });
    for (const contact of contacts) {
      const { conversation } = newConversation({
        ...{ run, flow: contextOf(own).flow, contact: { id: contact, name: contact, phone: `+${contact}` } },
        ...{ now: clock.now(), partitions: 8, traceparent: tracing.traceparent ?? 't' },
      });
      database.conversations.insert(conversation);
    }
  };
  put('spring');
  const hinted: string[] = [];
  const controller = new AbortController();
  const runs: Runs = new Runs({
    ...{ campaigns, channels, memberId: 'm1', clock, logger },
    onChanged: (known) => schedule.setRun(known),
  });
  const dispatch: Dispatch = new Dispatch({
    ...{ channels, concurrency: inDoubt, ledger, campaigns, clock, random: () => 0.5, logger, instruments },
    tracer: tracing.tracer,
    seen: (id, head, asked) => runs.seen(id, head, asked),
    maySend: (id) => runs.maySend(id),
    onFresh: () => schedule.arm(),
  });
  const ownership = new Ownership({ store, dispatch, logger, onActive: () => schedule.lookAtAll() });
  const schedule: Schedule = new Schedule({
    ...{
      store,
      clock,
      partitions: () => ownership.active,
      room: (name: string, planned?: ReadonlyMap<string, number>) => dispatch.room.left(name, planned),
      heldBy: (name: string) => dispatch.room.heldBy(name),
    },
  });
  const round = new Round({
    ...{ store, campaigns, runs, schedule, dispatch, batchSize: 100, clock, random: () => 0.5, logger, instruments },
    ...{
      signal: controller.signal,
      isNoFaultOfDocuments: (error: unknown) => (error as { away?: boolean }).away === true,
    },
    owns: (_, partition) => ownership.isActive(partition),
    limits: new MemoryLimits({ database, memberId: 'm1' }),
    hint: (ids) => hinted.push(...ids),
    proveOwnership: () => ledger.beat(),
    tracer: tracing.tracer,
  });
  const results: RowResult[] = [];
  dispatch.results$.subscribe((result) => results.push(result));
  const all = Array.from({ length: 8 }, (_, _id) => ({ _id }));
  for (const run of await campaigns.openRuns()) runs.update(run);
  ownership.gained(all);
  await ownership.takeUp(all, controller.signal);
  /** One round over everything that waits: answers, hints, what is due. */
  const turn = async (...ids: string[]) => {
    await settle(clock);
    const inputs: RoundInput[] = results.splice(0).map((result) => ({ kind: 'result', result }));
    if (ids.length > 0) inputs.push({ kind: 'hints', ids, done: () => {} });
    const report = await ownership.during(() => round.run([...inputs, { kind: 'due' }]));
    await settle(clock);
    return report;
  };
  const answer = async (result: SendResult = { kind: 'sent' }): Promise<void> => {
    for (const { answer: tell } of wire.splice(0)) tell(result);
    await settle(clock);
  };
  return {
    ...{
      clock,
      database,
      ledger,
      store,
      campaigns,
      runs,
      dispatch,
      ownership,
      schedule,
      round,
      wire,
      results,
      hinted,
      logger,
    },
    ...{ instruments, put, turn, answer, all, signal: controller.signal },
    conversation: (id: string): Conversation | undefined => database.conversations.get(id),
    row: (id: string): Message | undefined => database.messages.get(id),
    counters: async (id = 'spring') => campaigns.counters(id),
  };
}

export type Member = Awaited<ReturnType<typeof member>>;
