import type { CompiledFlow } from '../src/domain/flow.ts';
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

/** By key, every lane in which a conversation of the flow may wait. */
export function lanesOf(campaignId: Id, flow: CompiledFlow): Map<string, Lane> {
  const entry = flow.stages.get(flow.entry);
  const lanes: Lane[] = [
    { campaignId, channel: entry?.type === 'message' ? entry.channel : '-', opening: true },
    ...[...flow.channels, '-'].map((channel) => ({ campaignId, channel, opening: false })),
  ];
  return new Map(lanes.map((lane) => [laneKey(lane), lane]));
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
