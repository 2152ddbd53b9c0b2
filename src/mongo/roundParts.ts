import type { Unit } from '../domain/model.ts';

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
