/** `status`: one campaign in figures, or all of them as a list. Documents of others are read as what they are, whatever that is. */
import { opensFor } from '../../domain/campaignTypes.ts';
import { stagesOf } from '../../domain/flowVersions.ts';
import type { Run } from '../../domain/model.ts';
import { isId } from '../../domain/normalise.ts';
import { occurrenceId } from '../../domain/recurrence.ts';
import type { StopSwitch } from '../../domain/stopSwitch.ts';
import type { Collections } from '../../mongo/collections.ts';
import type { Context, ExitCode } from '../context.ts';
import { showId, withDatabase } from '../database.ts';
import { percent } from '../drawing.ts';
import { findCampaignId, headOnly, noCampaign } from '../findCampaign.ts';
import { date, instant, type Loose, number, record } from '../loose.ts';
import { type Align, count, type Output, plural, safe, span } from '../output.ts';
import { showStopped } from '../stopNotice.ts';

const right: Align = 'right';

export interface StatusParams {
  campaign?: string;
  /** Of the list; 50 when absent. */
  limit?: number;
}

/** Prints one campaign (1 when there is none of that name), or the newest ones. */
export const status = (params: StatusParams, context: Context): Promise<ExitCode> =>
  withDatabase(context, async ({ in: stored }): Promise<ExitCode> => {
    const { campaign } = params;
    const stop = await showStopped(stored, context.out);
    if (campaign === undefined) await showList(stored, context.out, params.limit ?? 50, stop);
    else await showOne(stored, context.out, campaign, stop);
    return 0;
  });

// ---------------------------------------------------------------- the list

/** Not started ones first, then by start; one that never started by the time its id tells, or last. */
const newestFirst = (limit: number): Loose[] => [
  {
    $project: {
      name: 1,
      status: 1,
      startedAt: 1,
      completedAt: 1,
      error: 1,
      expansion: 1,
      metrics: 1,
      at: {
        $cond: [
          { $eq: [{ $type: '$startedAt' }, 'date'] },
          '$startedAt',
          {
            $cond: [
              { $in: ['$status', ['draft', 'pending', 'scheduled', 'paused']] },
              '$$NOW',
              { $cond: [{ $eq: [{ $type: '$_id' }, 'objectId'] }, { $toDate: '$_id' }, new Date(0)] },
            ],
          },
        ],
      },
    },
  },
  { $sort: { at: -1, _id: -1 } },
  { $limit: limit },
  { $project: { at: 0 } },
];

async function showList({ campaigns }: Collections, out: Output, limit: number, stop: StopSwitch): Promise<void> {
  const found = await campaigns.aggregate<Loose>(newestFirst(limit + 1), { maxTimeMS: 30_000 }).toArray();
  const shown = found.slice(0, limit);
  out.value({ campaigns: shown, more: found.length > limit, ...stopped(stop) });
  if (shown.length === 0) {
    out.line('there are no campaigns yet; `communication-base submit FILE` stores one');
    return;
  }
  out.table(
    ['campaign', 'status', 'contacts', 'active', 'ended', 'sent', 'failed', 'replied', 'started', 'updated', 'error'],
    shown.map((campaign) => listRow(campaign, out)),
    ['left', 'left', right, right, right, right, right, right, 'left', 'left', 'left'],
  );
  if (found.length > limit) out.line(out.color.dim(`the newest ${count(limit)}; more with --limit`));
}

function listRow(campaign: Loose, out: Output): string[] {
  const metrics = record(campaign['metrics']);
  const error = record(campaign['error']);
  return [
    showId(campaign['_id']),
    coloured(campaign['status'], out),
    count(number(metrics['total'])),
    count(number(metrics['active'])),
    endedShare(metrics),
    count(number(record(metrics['messages'])['sent'])),
    count(number(record(metrics['messages'])['failed'])),
    count(number(metrics['replied'])),
    instant(campaign['startedAt']),
    instant(metrics['updatedAt']),
    error['code'] === undefined ? '' : safe(error['code']),
  ];
}

function endedShare(metrics: Loose): string {
  const total = number(metrics['total']);
  const ended = total - number(metrics['active']);
  return total > 0 ? `${count(ended)} (${percent(ended, total)})` : count(ended);
}

function coloured(status: unknown, { color }: Output): string {
  const text = safe(status);
  if (text === 'completed') return color.green(text);
  if (text === 'failed') return color.red(text);
  return text === 'paused' || text === 'cancelled' ? color.yellow(text) : text;
}

// ---------------------------------------------------------------- one campaign

/** With `--json` as loud as elsewhere: it is there only where sending is stopped. */
const stopped = (stop: StopSwitch): { stopped?: StopSwitch } => (stop.sending === 'stopped' ? { stopped: stop } : {});

async function showOne(stored: Collections, out: Output, typed: string, stop: StopSwitch): Promise<void> {
  const found = await read(stored, typed);
  if (!found) throw noCampaign(typed);
  const { campaign, run } = found;
  out.value({ ...campaign, ...(Object.keys(run).length > 0 ? { run } : {}), ...stopped(stop) });
  const metrics = record(campaign['metrics'] ?? run['metrics']);
  showHead(campaign, run, out);
  if (Object.keys(metrics).length === 0) {
    out.line(out.color.dim('no figures yet: they come when a worker has started it'));
    return;
  }
  showOutcomes(metrics, out);
  showFunnel(metrics, run, out);
  showMessages(metrics, out);
}

/** A deleted campaign lives on in its run. */
async function read(stored: Collections, typed: string): Promise<{ campaign: Loose; run: Loose } | undefined> {
  const _id = await findCampaignId(stored, typed);
  if (_id === undefined) return undefined;
  const campaign = await stored.campaigns.findOne<Loose>({ _id }, { projection: headOnly });
  const projection = { status: 1, settled: 1, expansion: 1, metrics: 1, template: 1, endReason: 1, pausedReason: 1 };
  const run = await stored.runs.findOne(
    { _id },
    {
      projection: {
        ...projection,
        startedAt: 1,
        completedAt: 1,
        'flow.stages.id': 1,
        'flows.version': 1,
        'flows.flow.stages.id': 1,
        migration: 1,
        priority: 1,
        'audience.kind': 1,
        'audience.live': 1,
        occurrences: 1,
      },
    },
  );
  return { campaign: campaign ?? { _id, status: 'deleted', startedAt: run?.startedAt }, run: record(run) };
}

const takesWords = {
  enrollments: ', enrollments are taken',
  live: ', and who joins later enters',
  occurrences: '',
  snapshot: ', still reading the audience',
} as const;

function showHead(campaign: Loose, run: Loose, out: Output): void {
  const { color } = out;
  const name = campaign['name'] === undefined ? '' : `  ${safe(campaign['name'])}`;
  out.line(`${color.bold(showId(campaign['_id']))}${name}  ${coloured(campaign['status'], out)}`);
  const started = date(campaign['startedAt']);
  const completed = date(campaign['completedAt']) ?? date(run['completedAt']);
  const took = started && completed ? `, took ${span(completed.getTime() - started.getTime())}` : '';
  if (started) out.line(`started ${instant(started)}${completed ? `, ended ${instant(completed)}${took}` : ''}`);
  const schedule = record(campaign['schedule']);
  if (!started && date(schedule['startAt'])) out.line(`starts ${instant(schedule['startAt'])}`);
  const template = record(run['template']);
  if (template['id'] !== undefined)
    out.line(`template ${safe(template['id'])}, version ${safe(template['version'] ?? '-')}`);
  showMigration(record(campaign['migration']), record(run['migration']), out);
  const takes = takesWords[opensFor(run as Partial<Run>) ?? 'snapshot'];
  const occurrences = record(run['occurrences']);
  if (Object.keys(occurrences).length > 0) showOccurrences(campaign['_id'], occurrences, out);
  else showExpansion(record(campaign['expansion'] ?? run['expansion']), takes, out);
  if (campaign['parentId'] !== undefined) out.line(`an occurrence of ${showId(campaign['parentId'])}`);
  const error = record(campaign['error']);
  if (error['code'] !== undefined) {
    const path = error['path'] === undefined ? '' : ` at ${safe(error['path'])}`;
    out.line(color.red(`${safe(error['code'])}${path}: ${safe(error['message'] ?? '')}`));
  }
}

function showMigration({ moved, stayed, ...shown }: Loose, { from, to, left }: Loose, out: Output): void {
  if (to === undefined) return;
  const on = Array.isArray(left) && left.length > 0 ? `, ${plural(left.length, 'partition')} left to ask` : '';
  const stays = Object.entries(record(stayed)).map(([stage, many]) => `${count(number(many))} in ${safe(stage)}`);
  const who =
    shown['completedAt'] === undefined
      ? on
      : `: ${count(number(moved))} went over, ${stays.join(', ') || 'nobody'} stayed`;
  out.line(`from version ${safe(from)} to ${safe(to)} since ${instant(shown['startedAt'])}${who}`);
}

function showOccurrences(id: unknown, { begun, missed, last, next }: Loose, out: Output): void {
  const left = number(missed) > 0 ? `, ${count(number(missed))} left out` : '';
  const at = date(last);
  const newest = at && isId(id) ? `, the last one ${showId(occurrenceId(id, at.getTime()))}` : '';
  const ahead = date(next) ? `, next ${instant(next)}` : ', none ahead';
  out.line(`occurrences: ${count(number(begun))} begun${left}${newest}${ahead}`);
}

function showExpansion(expansion: Loose, going: string, out: Output): void {
  if (Object.keys(expansion).length === 0) return;
  const skipped = Object.entries(record(expansion['skipped'])).map(
    ([why, many]) => `${count(number(many))} ${safe(why)}`,
  );
  const left = skipped.length > 0 ? `, left out: ${skipped.join(', ')}` : '';
  const done = expansion['done'] === true ? '' : going;
  out.line(`audience: ${plural(number(expansion['expanded']), 'contact')} entered${left}${done}`);
}

const outcomeNames = ['active', 'completed', 'escalated', 'failed', 'suppressed', 'cancelled'] as const;

function showOutcomes(metrics: Loose, out: Output): void {
  const total = number(metrics['total']);
  const rows = outcomeNames
    .map((name): [string, number] => [name, number(metrics[name])])
    .filter(([, value]) => value > 0);
  const words = Object.entries(record(metrics['outcomes'])).map(([word, value]): [string, number] => [
    `  ${safe(word)}`,
    number(value),
  ]);
  const line = ([name, value]: [string, number]): string[] => [name, count(value), percent(value, total)];
  out.line();
  out.table(
    ['conversations', 'count', 'share'],
    [
      ...rows.map(line),
      ['total', count(total), ''],
      ...(words.length > 0 ? [['by outcome', '', '']] : []),
      ...words.map(line),
    ],
    ['left', right, right],
  );
}

/** In the order of the flow, as far as it is known. */
function showFunnel(metrics: Loose, run: Loose, out: Output): void {
  const stages = record(metrics['stages']);
  const order = run['flow'] === undefined ? [] : stagesOf(run as unknown as Run).map(({ id }) => id);
  const ids = [
    ...order.filter((id) => Object.hasOwn(stages, id)),
    ...Object.keys(stages).filter((id) => !order.includes(id)),
  ];
  if (ids.length === 0) return;
  out.line();
  out.table(
    ['stage', 'entered', 'sent', 'replied'],
    ids.map((id) => {
      const stage = record(stages[id]);
      return [safe(id), ...['entered', 'sent', 'replied'].map((key) => count(number(stage[key])))];
    }),
    ['left', right, right, right],
  );
}

function showMessages(metrics: Loose, out: Output): void {
  const figures = (values: unknown): [string, number][] =>
    Object.entries(record(values))
      .map(([name, value]): [string, number] => [safe(name), number(value)])
      .filter(([, value]) => value > 0);
  const listed = (rows: [string, number][]): string =>
    rows.map(([name, value]) => `${name} ${count(value)}`).join(' · ');
  const messages = figures(metrics['messages']);
  const reasons = figures(metrics['reasons']);
  out.line();
  out.line(`messages  ${messages.length > 0 ? listed(messages) : 'none yet'}`);
  out.line(`replied   ${plural(number(metrics['replied']), 'contact')}`);
  if (reasons.length > 0) out.line(`reasons   ${listed(reasons)}`);
  if (date(metrics['updatedAt'])) out.line(out.color.dim(`as of ${instant(metrics['updatedAt'])}`));
}
