/** What somebody may have meant who typed an id of a conversation that is not there. */
import { encodePart } from './ids.ts';

/** Ids with more colons than that are not taken apart. */
const mostColons = 5;

/** Ways to write one part: as it is, encoded, as a number, as an ObjectId. */
function partVariants(part: string): string[] {
  return [
    part,
    encodePart(part),
    ...(/^-?\d{1,15}$/.test(part) ? [`#${Number(part)}`] : []),
    ...(/^[0-9a-f]{24}$/i.test(part) ? [`~${part.toLowerCase()}`] : []),
  ];
}

/** Each way to split the text into the part of a campaign and that of a contact. */
export function splits(typed: string): { campaign: string; contact: string }[] {
  const found: { campaign: string; contact: string }[] = [];
  for (let at = typed.indexOf(':'); at >= 0 && found.length < mostColons; at = typed.indexOf(':', at + 1))
    found.push({ campaign: typed.slice(0, at), contact: typed.slice(at + 1) });
  return found;
}

/** Ids of conversations that the text may stand for, without the text itself. Those of a message lead to its conversation. */
export function meantIds(typed: string): string[] {
  const texts = new Set([typed, typed.replace(/\/\d+$/, '')]);
  const ids = [...texts].flatMap((text) => [
    text,
    ...splits(text).flatMap(({ campaign, contact }) =>
      partVariants(campaign).flatMap((left) => partVariants(contact).map((right) => `${left}:${right}`)),
    ),
  ]);
  return [...new Set(ids)].filter((id) => id !== typed);
}

/** Whether a part holds what `encodePart` would not have left: spaces, "/", "@", "+" and the like. */
export const looksUnencoded = (typed: string): boolean => !/^[\w.!*'()%~#:-]*$/.test(typed);
