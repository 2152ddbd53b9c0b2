/** Whether a lane moves: one that does is behind, and nothing in it is stuck. */
import type { Flow, Metrics } from './model.ts';

/** Messages sent by the channels that their stages use: as long as one of these numbers grows, that channel hands over. */
export function sentByChannel({ stages }: Pick<Metrics, 'stages'>, flow: Flow | undefined): Map<string, number> {
  const sent = new Map<string, number>();
  const counted = new Map(Object.entries(stages).map(([id, { sent: many }]) => [id, many]));
  for (const stage of flow?.stages ?? []) {
    if (stage.type !== 'message') continue;
    const channels = new Set([
      stage.channel,
      ...(stage.followUps ?? []).map(({ channel }) => channel ?? stage.channel),
    ]);
    for (const channel of channels) sent.set(channel, (sent.get(channel) ?? 0) + (counted.get(stage.id) ?? 0));
  }
  return sent;
}
