/** Who may send when there is not enough capacity: deficit round robin, weighted by priority (Shreedhar, Varghese 1995). */

export interface Claimant {
  key: string;
  /** Above 0; shares are in proportion. */
  weight: number;
}

export interface Member extends Claimant {
  /** Claimants of one group share what there is room for in it. */
  group: string;
}

/** `priority` 0 to 9 as a weight: 9 gets ten times what 0 gets. */
export const weightOf = (priority: number): number => priority + 1;

/** Splits capacities among claimants over many calls so that, in the long run, shares follow the weights. */
export class DeficitRoundRobin {
  private readonly deficits = new Map<string, number>();

  /** Whole shares that add up to at most `capacity`; what a fraction leaves is carried over. */
  shares(claimants: readonly Claimant[], capacity: number): Map<string, number> {
    const total = claimants.reduce((sum, { weight }) => sum + weight, 0);
    if (capacity <= 0 || total <= 0) return new Map();
    let left = capacity;
    const parts = claimants.map(({ key, weight }) => {
      const credit = (this.deficits.get(key) ?? 0) + (capacity * weight) / total;
      const share = Math.min(left, Math.max(0, Math.floor(credit)));
      left -= share;
      return { key, share, deficit: credit - share };
    });
    for (const part of parts.toSorted((a, b) => b.deficit - a.deficit)) {
      if (left <= 0) break;
      part.share += 1;
      part.deficit -= 1;
      left -= 1;
    }
    for (const { key, deficit } of parts) this.deficits.set(key, deficit);
    return new Map(parts.map(({ key, share }) => [key, share]));
  }

  /** As `shares`, and no group gets more than its `room`; what it cannot use goes to groups that can. */
  sharesInGroups(members: readonly Member[], capacity: number, room: (group: string) => number): Map<string, number> {
    const groups = new Map<string, Member[]>();
    for (const member of members) groups.set(member.group, [...(groups.get(member.group) ?? []), member]);
    const claimants = [...groups].map(([group, own]) => ({
      key: `group ${group}`,
      weight: own.reduce((sum, { weight }) => sum + weight, 0),
    }));
    const fair = this.shares(claimants, capacity);
    const parts = [...groups].map(([group, own]) => {
      const most = Math.max(0, room(group));
      return { own, most, part: Math.min(most, fair.get(`group ${group}`) ?? 0) };
    });
    let left = capacity - parts.reduce((sum, { part }) => sum + part, 0);
    const shares = new Map<string, number>();
    for (const { own, most, part } of parts) {
      const extra = Math.max(0, Math.min(left, most - part));
      left -= extra;
      for (const [key, share] of this.shares(own, part + extra)) shares.set(key, share);
    }
    return shares;
  }

  /** A claimant that had nothing more to send keeps no credit, else it could save up a burst. */
  forget(key: string): void {
    this.deficits.delete(key);
  }
}
