/** How many SMS a text is: alphabets of 3GPP TS 23.038 (6.2.1), lengths of concatenated messages of 3GPP TS 23.040 (9.2.3.24.1). */

/** The default alphabet: a septet each. */
const basic = new Set(
  '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà',
);
/** Its extension: an escape and a septet. */
const extended = new Set('\f^{}\\[~]|€');

/** Units of one message, and of each part of a longer one, whose header takes six bytes. */
const limits = { 'GSM-7': { alone: 160, part: 153 }, 'UCS-2': { alone: 70, part: 67 } } as const;

export interface SmsLength {
  encoding: keyof typeof limits;
  /** Septets, or UTF-16 units. */
  units: number;
  segments: number;
  /** Characters that keep it from being GSM-7, each once, the first ten. */
  foreign: string[];
}

const mostForeign = 10;

/** As it is sent without transliteration or national tables, which some providers use. An empty text is one message. */
export function smsLength(text: string): SmsLength {
  const characters = [...text];
  const foreign = new Set(characters.filter((character) => !basic.has(character) && !extended.has(character)));
  const encoding = foreign.size === 0 ? 'GSM-7' : 'UCS-2';
  const sizes = characters.map((character) =>
    encoding === 'UCS-2' ? character.length : extended.has(character) ? 2 : 1,
  );
  const units = sizes.reduce((sum, size) => sum + size, 0);
  const { alone, part } = limits[encoding];
  const segments = units <= alone ? 1 : parts(sizes, part);
  return { encoding, units, segments, foreign: [...foreign].slice(0, mostForeign) };
}

/** What a row keeps of the length of its text. */
export const segmentsOf = (channel: { isSms?: true }, { text }: { text?: string }): { segments?: number } =>
  channel.isSms === undefined || text === undefined ? {} : { segments: smsLength(text).segments };

/** An escape and its septet, and the halves of a surrogate pair, are never in two parts. */
function parts(sizes: readonly number[], limit: number): number {
  let count = 1;
  let used = 0;
  for (const size of sizes) {
    if (used + size > limit) {
      count += 1;
      used = 0;
    }
    used += size;
  }
  return count;
}
