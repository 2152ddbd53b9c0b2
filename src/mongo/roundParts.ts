import type { Unit } from '../domain/model.ts';
import { longestTranscript } from '../domain/transcript.ts';

/**
 * Transactions are bounded by bytes too: a cache smaller than them refuses whole batches, and a command holds 16 MB. Sizes are
 * counted in characters here, which are up to three bytes each.
 */
const transactionBytes = 5_000_000;

/** A rough size is enough: what is large in a row is its content. */
function sizeOf(unit: Unit): number {
  let size = 600;
  for (const row of unit.inserts) {
    const { content } = row;
    size += 600 + (content?.text?.length ?? 0) + (content?.html?.length ?? 0) + (content?.subject?.length ?? 0);
    if (content?.body !== undefined || content?.attachments !== undefined) size += JSON.stringify(content).length;
  }
  if (unit.change?.set.inbox !== undefined) size += 500 * unit.change.set.inbox.length;
  const set = unit.change?.set;
  if (set?.variables !== undefined) size += JSON.stringify(set.variables).length;
  if (set?.event !== undefined) size += JSON.stringify(set.event).length;
  if (set?.contact !== undefined) size += JSON.stringify(set.contact).length;
  for (const letter of unit.deadLetters) size += JSON.stringify(letter).length;
  for (const change of unit.limits ?? []) size += change.kind === 'raise' ? 150 * change.document.sends.length : 200;
  // what is read for a transcript, and the transcript
  for (const change of unit.escalations ?? [])
    size += change.kind === 'opened' ? longestTranscript + 2_000 * Math.min(100, change.sequence) : 200;
  return size;
}

/** The units in their order, in parts that one transaction can hold. */
export function splitByBytes(units: readonly Unit[]): Unit[][] {
  const parts: Unit[][] = [];
  let part: Unit[] = [];
  let bytes = 0;
  for (const unit of units) {
    const size = sizeOf(unit);
    if (part.length > 0 && bytes + size > transactionBytes) {
      parts.push(part);
      part = [];
      bytes = 0;
    }
    part.push(unit);
    bytes += size;
  }
  if (part.length > 0) parts.push(part);
  return parts;
}
