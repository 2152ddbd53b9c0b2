const encoder = new TextEncoder();

/** As much of a text as so many bytes of UTF-8 hold; no character is cut. */
export function headOf(text: string, bytes: number): string {
  // a UTF-16 unit takes three bytes at most
  if (3 * text.length <= bytes) return text;
  return text.slice(0, encoder.encodeInto(text, new Uint8Array(bytes)).read);
}
