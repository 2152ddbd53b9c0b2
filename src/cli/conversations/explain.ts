/** `explain`: the story of one conversation, what comes next, and why it has not come yet. */
import { addressKey, normalAddress, suppressionsOf as suppressions } from '../../domain/addresses.ts';
import { isDropped } from '../../domain/campaign.ts';
import type { CampaignDocument, Conversation, Message, Run, Suppression } from '../../domain/model.ts';
import { type StoryEvent, story } from '../../domain/story.ts';
import { isWithoutCollection, type Next, nextOf, type StoryContext } from '../../domain/storyNext.ts';
import { type Why, whyOf } from '../../domain/storyWhy.ts';
import { serverTime } from '../../mongo/client.ts';
import { uuidOf } from '../../mongo/collections.ts';
import { readStopSwitch } from '../../mongo/control.ts';
import { addressBook } from '../../worker/addressBook.ts';
import type { Context, ExitCode } from '../context.ts';
import { type Database, showId, withDatabase } from '../database.ts';
import { watchMembers } from '../memberWatch.ts';
import { distance, type Output, safe } from '../output.ts';
import { explainMissing } from './explainMissing.ts';

export interface ExplainParams {
  conversation: string;
}

/** Prints the whole story; 1 when there is no such conversation, with what may have been meant. */
export const explain = ({ conversation: _id }: ExplainParams, context: Context): Promise<ExitCode> =>
  withDatabase(context, async (database): Promise<ExitCode> => {
    const { out } = context;
    const conversation = await database.in.conversations.findOne({ _id });
    if (conversation === null) return explainMissing(_id, database, out);
    const tale = await taleOf(database, conversation);
    out.value(tale.document);
    showTale(tale, out);
    return 0;
  });

/** The whole story of a conversation, as it is printed. */
export interface Tale {
  document: Record<string, unknown>;
  told: StoryContext;
  suppressed: readonly Suppression[];
  events: readonly StoryEvent[];
  next: Next;
  why: readonly Why[];
}

export async function taleOf(database: Database, conversation: Conversation): Promise<Tale> {
  const known = await read(database, conversation);
  const told = await watched(database, known);
  const events = story(conversation, told.rows);
  const next = nextOf(told);
  const why = whyOf(told, next);
  const suppressed = await suppressionsOf(database, told);
  const document = { conversation: headOf(told), suppressed, events, next, why };
  return { document, told, suppressed, events, next, why };
}

export function showTale({ told, suppressed, events, next, why }: Tale, out: Output): void {
  showHead(told, out);
  for (const { _id, reason, at } of suppressed) out.line(out.color.yellow(suppressedText(_id, reason, at)));
  showStory(events, out);
  showNext(next, why, told.now, out);
}

async function read({ db, in: stored }: Database, conversation: Conversation): Promise<StoryContext> {
  const { _id, campaignId, partition } = conversation;
  // "0" comes after "/" in the order of ids
  const rows = await stored.messages
    .find({ _id: { $gte: `${_id}/`, $lt: `${_id}0` } }, { projection: { content: 0 } })
    .toArray();
  const fields = {
    status: 1,
    settled: 1,
    campaign: 1,
    flow: 1,
    flows: 1,
    startedAt: 1,
    endReason: 1,
    pausedReason: 1,
    schedule: 1,
    collectionUuid: 1,
  };
  const run = await stored.runs.findOne({ _id: campaignId }, { projection: fields });
  const campaign = await stored.campaigns.findOne({ _id: campaignId }, { projection: { status: 1, error: 1 } });
  const dropped = campaign === null && run !== null && isDropped(run, (await uuidOf(db, 'campaigns')) ?? 'missing');
  const stop = await readStopSwitch(stored);
  const members = await stored.members
    .find({}, { projection: { channels: 1, channelStates: 1 }, sort: { _id: 1 } })
    .toArray();
  const owned = await stored.partitions.findOne({ _id: partition });
  const rates = await stored.rates
    .find({ _id: { $not: /^domain:/ } }, { projection: { inForce: 1, tat: 1 } })
    .toArray();
  return {
    conversation,
    rows: rows.toSorted((a: Message, b: Message) => sequence(a) - sequence(b)),
    run: run ?? undefined,
    campaign: (campaign as Pick<CampaignDocument, 'status' | 'error'> | null) ?? undefined,
    dropped,
    sending: stop.sending,
    stop,
    members,
    rates: new Map(rates.map(({ _id, ...rate }) => [_id.replace(/^channel:/, ''), rate])),
    owner: owned?.owner,
    ownerAlive: undefined,
    now: (await serverTime(db)).getTime(),
  };
}

/** What keeps messages from its contact; without HASH_KEY what the conversation itself keeps is looked for. */
async function suppressionsOf({ config, in: stored }: Database, told: StoryContext): Promise<Suppression[]> {
  const { conversation, run, rows } = told;
  const book = addressBook(config.hashKey);
  const kept = Array.isArray(conversation.addresses) ? conversation.addresses : [];
  const written = rows.flatMap(({ channel, to }) =>
    to === undefined ? [] : book.hashes(normalAddress(to)).map((hash) => addressKey(channel, hash)),
  );
  const topic = String((run as Pick<Run, 'campaign'> | undefined)?.campaign?.['topic'] ?? 'default');
  const ids = new Set([...kept, ...written].flatMap((address) => suppressions(address, topic)));
  return stored.suppressions.find({ _id: { $in: [...ids] } }, { sort: { at: 1 } }).toArray();
}

function suppressedText(id: string, reason: string, at: Date): string {
  const [channel = '', topic = ''] = id.split(':').map(decodeURIComponent);
  const about = topic === '*' ? '' : ` about ${safe(topic)}`;
  return `not written to by ${safe(channel)}${about} since ${instant(at)}: ${safe(reason)}`;
}

const sequence = ({ _id }: Message): number => Number(_id.slice(_id.lastIndexOf('/') + 1));

/** Whether its owner lives takes up to a lease to see: it is watched only where something should be done now. */
async function watched({ config, in: stored }: Database, known: StoryContext): Promise<StoryContext> {
  const { conversation, rows, members } = known;
  const { status, inbox, partition } = conversation;
  const isLate = status === 'active' && nextOf(known).lateMs !== undefined;
  const isInDoubt = rows.at(-1)?.status === 'sending';
  const hasEvents = Array.isArray(inbox) && inbox.length > 0;
  if (members.length === 0 || !(hasEvents || isLate || isInDoubt)) return known;
  const ownerIn = (partitions: readonly { _id: number; owner?: string }[]): string | undefined =>
    partitions.find(({ _id }) => _id === partition)?.owner;
  const seen = await watchMembers(stored, config.leaseTtlMs, ({ partitions, alive }) =>
    alive.has(ownerIn(partitions) ?? ''),
  );
  const owner = ownerIn(seen.partitions);
  return { ...known, members: seen.members, owner, ownerAlive: seen.alive.has(owner ?? '') };
}

const traceIdOf = ({ trace }: Conversation): string | undefined => trace?.traceparent?.split('-')[1];

/** `missing`: it is gone with its collection, and not by itself. */
const statusOf = (told: StoryContext): string =>
  told.campaign?.status ?? (isWithoutCollection(told) ? 'missing' : 'deleted');

function headOf(told: StoryContext): Record<string, unknown> {
  const { conversation, run, owner, ownerAlive } = told;
  const { _id, campaignId, status, stage, step, sequence, outcome, reason, error, partition } = conversation;
  return {
    ...{ _id, campaignId, status, stage, step, sequence, outcome, reason, error },
    ...{ campaign: statusOf(told), run: run?.status },
    ...{ partition, owner, ownerAlive, traceId: traceIdOf(conversation) },
  };
}

function showHead(told: StoryContext, out: Output): void {
  const { conversation, owner, ownerAlive } = told;
  const { _id, campaignId, status, stage, step, partition } = conversation;
  const place = status === 'active' ? `  stage ${safe(stage)}, step ${safe(step)}` : '';
  out.line(`${out.color.bold(safe(_id))}  ${safe(status)}${place}`);
  const life = owner === undefined || ownerAlive === undefined ? '' : ownerAlive ? ' (alive)' : ' (silent)';
  const ids = [
    `campaign ${showId(campaignId)} ${safe(statusOf(told))}`,
    `partition ${partition}, owner ${safe(owner ?? 'nobody')}${life}`,
    `trace ${safe(traceIdOf(conversation) ?? '-')}`,
  ];
  for (const line of ids) out.line(out.color.dim(line));
}

const instant = (at: Date | undefined): string => at?.toISOString() ?? '-';

/** A line an event, never cut: the end of a provider's error is what somebody looks for at night. */
function showStory(events: readonly StoryEvent[], out: Output): void {
  out.line();
  for (const { at, text } of events) out.line(`${out.color.dim(instant(at))}  ${safe(text)}`);
}

function showNext(next: Next, why: readonly Why[], now: number, out: Output): void {
  const { color } = out;
  out.line();
  out.line(`${color.bold('next')}  ${safe(next.text)}${dueIn(next, now)}`);
  for (const { text } of why) out.line(`${color.bold('why')}   ${safe(text)}`);
}

function dueIn({ at, lateMs }: Next, now: number): string {
  if (at === undefined) return '';
  const when = lateMs === undefined ? `due in ${distance(at.getTime() - now)}` : `due for ${distance(lateMs)}`;
  return `, ${when} (${instant(at)})`;
}
