/** Who may send when there is not enough capacity: deficit round robin, weighted by priority (Shreedhar, Varghese 1995). */

export interface Claimant {
  key: string;
  /** Above 0; shares are in proportion. */
  weight: number;
}

/** `priority` 0 to 9 as a weight: 9 gets ten times what 0 gets. */
export const weightOf = (priority: number): number => priority + 1;

/** Splits capacities among claimants over many calls so that, in the long run, shares follow the weights. */
export class DeficitRoundRobin {
  private readonly deficits = new Map<string, number>();

  /** Whole shares that add up to at most `capacity`; what a fraction leaves is carried over. */
  shares(claimants: readonly Claimant[], capacity: number): Map<string, number> {
    const shares = new Map<string, number>();
    const total = claimants.reduce((sum, { weight }) => sum + weight, 0);
    if (capacity <= 0 || total <= 0) return shares;
    let left = capacity;
    const byDeficit: { key: string; deficit: number }[] = [];
    for (const { key, weight } of claimants) {
      const credit = (this.deficits.get(key) ?? 0) + (capacity * weight) / total;
      const share = Math.min(left, Math.max(0, Math.floor(credit)));
      left -= share;
      shares.set(key, share);
      this.deficits.set(key, credit - share);
      byDeficit.push({ key, deficit: credit - share });
    }
    byDeficit.sort((a, b) => b.deficit - a.deficit);
    for (const { key } of byDeficit) {
      if (left <= 0) break;
      shares.set(key, (shares.get(key) ?? 0) + 1);
      this.deficits.set(key, (this.deficits.get(key) ?? 0) - 1);
      left -= 1;
    }
    return shares;
  }

  /** A claimant that had nothing more to send keeps no credit, else it could save up a burst. */
  forget(key: string): void {
    this.deficits.delete(key);
  }
}
