/** What a simulation's own messages use of limits. What contacts get of other campaigns it does not know. */
import type { FlowContext } from './decision.ts';
import { type LimitFacts, roomIn } from './limiting.ts';
import type { CampaignRamp, ContactPressure, Conversation, LimitChange } from './model.ts';
import { pressureId } from './pressure.ts';
import { periodAt } from './ramp.ts';

export class SimulatedLimits {
  private readonly pressures = new Map<string, ContactPressure>();
  private used: CampaignRamp | undefined;

  /** Undefined where the campaign has no limits. */
  factsOf(
    conversation: Conversation,
    { cap, ramp }: FlowContext,
    waiting: number,
    now: number,
  ): LimitFacts | undefined {
    if (cap === undefined && ramp === undefined) return undefined;
    const pressure = cap && this.pressures.get(pressureId(conversation));
    return { pressure, room: ramp ? roomIn(periodAt(ramp, now), this.used) : 0, waiting };
  }

  apply(changes: readonly LimitChange[]): void {
    for (const change of changes) {
      if (change.kind === 'raise') this.pressures.set(change.document._id, change.document);
      if (change.kind === 'lower') this.lower(change);
      if (change.kind === 'return' && this.usedIn(change.from) > 0) this.use(change.from, -1);
      if (change.kind === 'take') this.use(change.from, 1);
    }
  }

  private lower({ id, messageId }: Extract<LimitChange, { kind: 'lower' }>): void {
    const stored = this.pressures.get(id) as ContactPressure;
    this.pressures.set(id, { ...stored, sends: stored.sends.filter((send) => send.id !== messageId) });
  }

  private usedIn(from: Date): number {
    return this.used?.from.getTime() === from.getTime() ? this.used.used : 0;
  }

  private use(from: Date, count: number): void {
    this.used = { _id: '', from, used: this.usedIn(from) + count };
  }
}
