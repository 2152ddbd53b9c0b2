/** About how many bytes a value takes as BSON: cheap, and right within a factor of three. */
export function roughSize(value: unknown): number {
  if (typeof value === 'string') return value.length + 8;
  if (typeof value !== 'object' || value === null) return 8;
  if (ArrayBuffer.isView(value)) return value.byteLength;
  let size = 16;
  for (const [key, field] of Object.entries(value)) size += key.length + roughSize(field);
  return size;
}
