// What left although it was not to leave any more, or not now. Pure: times are ms since the epoch.

/** A pause, a stop, a cancel and an end hold within a second of being stored; the rest is the way to the provider and its clock. */
const toleranceMs = 1_000 + 1_000;

/**
 * @param records `{ key, campaignId, tries: [{ at }] }`.
 * @param campaigns by id: `endedAt`, `pauses` as `{ from, to }`.
 * @param stops spans in which sending was stopped for all.
 */
export function late(records, campaigns, stops = []) {
  const within = (spans, at) => spans.find(({ from, to }) => at > from + toleranceMs && at < to);
  return records.flatMap(({ key, campaignId, tries }) => {
    const { endedAt = Number.POSITIVE_INFINITY, pauses = [] } = campaigns.get(campaignId) ?? {};
    return tries.flatMap(({ at, worker }) => {
      const pause = within(pauses, at);
      if (pause) return [`${key} by ${worker} ${at - pause.from} ms into a pause`];
      const stop = within(stops, at);
      if (stop) return [`${key} by ${worker} ${at - stop.from} ms after sending was stopped`];
      return at > endedAt + toleranceMs ? [`${key} by ${worker} ${at - endedAt} ms after the end`] : [];
    });
  });
}
