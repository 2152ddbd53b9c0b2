/** What `explain` can say of a conversation that is not there. */
import { looksUnencoded, meantIds, splits } from '../../domain/idHints.ts';
import type { Id, Run } from '../../domain/model.ts';
import { occurrenceId } from '../../domain/recurrence.ts';
import type { ExitCode } from '../context.ts';
import { candidates, type Database, showId } from '../database.ts';
import { count, type Output, safe } from '../output.ts';

export async function explainMissing(typed: string, { in: stored }: Database, out: Output): Promise<ExitCode> {
  const hints: string[] = [];
  const meant = await stored.conversations
    .find({ _id: { $in: meantIds(typed) } }, { projection: { _id: 1 }, limit: 5 })
    .toArray();
  for (const { _id } of meant) hints.push(`there is a conversation ${_id}`);
  if (looksUnencoded(typed))
    hints.push(
      'it looks unencoded: its id is <campaign>:<contact>, both percent-encoded, a number as #5, an ObjectId as ~<hex>',
    );
  hints.push(...(await campaignHints(typed, stored)));
  const message = `there is no conversation ${safe(typed)}`;
  out.value({ error: { code: 'not_found', message }, hints });
  if (!out.json) out.failure({ code: 'not_found', message: [message, ...hints.map(safe)].join('\n  ') });
  return 1;
}

/** What the parts of an id name, as they are typed and as they are encoded. */
function campaignsNamed(typed: string): Id[] {
  const texts = splits(typed).flatMap(({ campaign }) => {
    const ids: Id[] = [...candidates(campaign), ...candidates(decoded(campaign))];
    if (campaign.startsWith('~')) ids.push(...candidates(campaign.slice(1)));
    if (/^#-?[\d.]+$/.test(campaign)) ids.push(Number(campaign.slice(1)));
    return ids;
  });
  return texts.length > 0 ? texts : candidates(typed);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

async function campaignHints(typed: string, { runs, campaigns }: Database['in']): Promise<string[]> {
  const ids = campaignsNamed(typed);
  const run = await runs.findOne(
    { _id: { $in: ids } },
    { projection: { expansion: 1, occurrences: 1, status: 1, settled: 1, 'audience.kind': 1, 'audience.live': 1 } },
  );
  if (run === null) {
    const campaign = await campaigns.findOne({ _id: { $in: ids } }, { projection: { status: 1 } });
    if (campaign === null) return ['there is no campaign of that id either; `communication-base status` lists them'];
    return [
      `campaign ${showId(campaign._id)} is ${campaign.status} and has not started: nobody has a conversation yet`,
    ];
  }
  const { expanded, skipped, done } = run.expansion;
  const name = `campaign ${showId(run._id)}`;
  if (run.occurrences !== undefined) return occurrenceHints(name, run._id, run.occurrences);
  const coming =
    run.audience.kind === 'enrollments'
      ? `${name} takes enrollments (${count(expanded)} conversations so far): what became of one stands in \`enrollments\``
      : `${name} is still being expanded (${count(expanded)} so far): the conversation may come`;
  const left = Object.entries(skipped).map(([why, many]) => `${count(many)} ${why}`);
  return [
    done ? `${name} was expanded to ${count(expanded)} conversations` : coming,
    left.length > 0 ? `contacts skipped at expansion: ${left.join(', ')}` : 'no contact was skipped at expansion',
  ];
}

function occurrenceHints(name: string, id: Id, { begun, last, next }: NonNullable<Run['occurrences']>): string[] {
  const example = last === undefined ? '' : `, the last one ${showId(occurrenceId(id, last.getTime()))}`;
  return [
    `${name} recurs: each occurrence is a campaign of its own, and conversations are in those`,
    `${count(begun)} have begun${example}; ${next === undefined ? 'none is left' : `the next one comes ${next.toISOString()}`}`,
  ];
}
