const hex: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** All zeroes is the invalid id (W3C Trace Context, 3.2.2.3 and 3.2.2.4): the last digit becomes 1 then. */
function hexId(bytes: Uint8Array, from: number, length: number): string {
  let id = '';
  let bits = 0;
  for (let at = from; at < from + length; at += 1) {
    const byte = Number(bytes[at]);
    bits |= byte;
    id += hex[byte];
  }
  return bits === 0 ? `${id.slice(0, -1)}1` : id;
}

/**
 * A new `traceparent` of version 00 (W3C Trace Context), marked as sampled, so that whoever receives it keeps the trail.
 * `random` returns at least 24 random bytes: 16 for the trace, 8 for the span; it is called once.
 */
export function newTraceparent(random: () => Uint8Array): string {
  const bytes = random();
  return `00-${hexId(bytes, 0, 16)}-${hexId(bytes, 16, 8)}-01`;
}
