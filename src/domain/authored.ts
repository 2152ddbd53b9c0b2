import { isPlain, own } from './plain.ts';

/** Fields of a campaign that are ours to write: whatever others left there is written over. */
const ours: ReadonlySet<string> = new Set([
  'version',
  'error',
  'expansion',
  'occurrences',
  'migration',
  'metrics',
  'results',
  'startedAt',
  'completedAt',
  'trace',
]);

/** What of a campaign is its author's. Inline contacts are left out: they are checked one by one when the audience is expanded, and may be 16 MB. */
export function authored(raw: Record<string, unknown>): Record<string, unknown> {
  const fields = Object.fromEntries(Object.entries(raw).filter(([name]) => !ours.has(name)));
  const audience = own(fields, 'audience');
  if (!isPlain(audience) || !Array.isArray(own(audience, 'contacts'))) return fields;
  return { ...fields, audience: { ...audience, contacts: [] } };
}
