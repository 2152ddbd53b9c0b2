/** Fields of a campaign's document that are nearly ours: others may put fields of their own there, and a slip of the pen is taken for one. */
import type { Fault } from './errors.ts';
import { suggestion } from './flowChecks.ts';
import { bundle } from './generated/schemas.ts';

const known = (): string[] =>
  Object.keys((bundle.definitions['CampaignDocument'] as { properties: object }).properties);

export function fieldWarnings(document: Readonly<Record<string, unknown>>): Fault[] {
  const names = known();
  const id = document['_id'];
  const number = `is the number ${id}; the id of a campaign is text, or an ObjectId: write it in quotes`;
  const ofId = typeof id === 'number' ? [{ code: 'id_number', path: '_id', message: number }] : [];
  const ofNames = Object.keys(document)
    .filter((name) => !names.includes(name))
    .flatMap((name) => {
      const meant = suggestion(name, names);
      const message = `there is no field ${JSON.stringify(name.slice(0, 80))} of a campaign: it is ignored.${meant}`;
      return meant === '' ? [] : [{ code: 'field_unknown', path: name, message }];
    });
  return [...ofId, ...ofNames];
}
