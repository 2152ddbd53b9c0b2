import type { CompiledFlow, CompiledStage } from '../src/domain/flow.ts';
import { campaignKey } from '../src/domain/ids.ts';
import type { Conversation, Id, Lane } from '../src/domain/model.ts';

export const laneKey = (lane: Lane): string =>
  `${lane.opening ? 'o' : 'c'}|${lane.channel}|${campaignKey(lane.campaignId)}`;

/** The lane a conversation waits in; undefined when nothing is due for it. */
export function laneOf(conversation: Conversation): { lane: Lane; at: number } | undefined {
  const { campaignId, nextChannel, nextActionAt, opening } = conversation;
  if (nextActionAt === undefined || nextChannel === undefined) return undefined;
  return { lane: { campaignId, channel: nextChannel, opening: opening === true }, at: nextActionAt.getTime() };
}

/** By key, every lane in which a conversation of these versions of a flow may wait. */
export function lanesOf(campaignId: Id, flows: readonly CompiledFlow[]): Map<string, Lane> {
  const entries = flows.map(({ stages, entry }) => stages.get(entry));
  const channels = [...new Set(flows.flatMap((flow) => flow.channels)), '-'];
  // what begins with a choice, or went over to another version before it began, opens on any of them
  const opensAnywhere =
    flows.length > 1 || entries.some((entry) => entry?.type === 'branch' || entry?.type === 'split');
  const opening = opensAnywhere ? channels : entries.map((entry) => (entry === undefined ? '-' : channelOf(entry)));
  const lanes: Lane[] = [
    ...opening.map((channel) => ({ campaignId, channel, opening: true })),
    ...channels.map((channel) => ({ campaignId, channel, opening: false })),
  ];
  return new Map(lanes.map((lane) => [laneKey(lane), lane]));
}

/** What the first step of a stage leaves on, "-" for nothing. */
function channelOf(stage: CompiledStage): string {
  if (stage.type === 'message' || stage.type === 'webhook') return stage.channel;
  return (stage.type === 'escalate' ? stage.notify?.channel : undefined) ?? '-';
}

/** Counts conversations by the lane they would be found in. */
export function countByLane(conversations: Iterable<Conversation>, now: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (const conversation of conversations) {
    const waiting = laneOf(conversation);
    if (waiting === undefined || waiting.at > now) continue;
    const key = laneKey(waiting.lane);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}
