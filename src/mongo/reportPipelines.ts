/** What a report asks of the database: one page of a campaign, counted in one pass over its documents. */
import type { Document } from 'mongodb';
import { coarsestStepMs, quantisation } from '../domain/distribution.ts';
import type { Run } from '../domain/model.ts';

type Expression = Document | string | number;

const isSet = (field: string): Document => ({ $ne: [{ $type: `$${field}` }, 'missing'] });
const isDate = (field: string): Document => ({ $eq: [{ $type: `$${field}` }, 'date'] });
const isNumber = (field: string): Document => ({ $isNumber: `$${field}` });
/** A word that others chose, short enough for very many of them. */
const code: Document = {
  $cond: [{ $eq: [{ $type: '$error.code' }, 'string'] }, { $substrCP: ['$error.code', 0, 100] }, '$$REMOVE'],
};
const longMs = (value: Expression): Document => ({ $toLong: value });

/** `quantise` of the domain, for a field that holds whole ms of zero or more. */
const bucketOf = (length: string): Document => ({ $subtract: [length, { $mod: [length, stepOfLength(length)] }] });

const stepOfLength = (length: string): Document =>
  quantisation.reduceRight<Document>(
    (longer, [limit, step]) => ({ $cond: [{ $lt: [length, limit] }, longMs(step), longer] }),
    longMs(coarsestStepMs),
  );

/** The begin of the step (of at most a day) in which a date lies, ms since the epoch; down, before the epoch too. */
const stepOf = (date: string, stepMs: number): Document => ({
  $let: {
    vars: { at: longMs(date) },
    in: {
      $subtract: ['$$at', { $mod: [{ $add: [{ $mod: ['$$at', longMs(stepMs)] }, longMs(stepMs)] }, longMs(stepMs)] }],
    },
  },
});

/** Groups lengths (ms, a field) by their bucket. */
const byLength = (length: string, more: Document = {}): Document[] => [
  {
    $group: {
      _id: { bucketMs: bucketOf(length), ...more },
      count: { $sum: 1 },
      maxMs: { $max: length },
    },
  },
];

const lastOf: Document[] = [{ $group: { _id: null, last: { $max: '$_id' }, documents: { $sum: 1 } } }];

const page = (range: Document, limit: number): Document[] => [
  { $match: { _id: range } },
  { $sort: { _id: 1 } },
  { $limit: limit },
];

/** ms of `[dueAt, sentAt]` that lie in pauses. */
function pausedMs(pauses: NonNullable<Run['pauses']>): Document | number {
  if (pauses.length === 0) return 0;
  const overlap = ({ from, until }: (typeof pauses)[number]): Document => ({
    $max: [
      0,
      {
        $subtract: [until === undefined ? '$sentAt' : { $min: ['$sentAt', until] }, { $max: ['$dueAt', from] }],
      },
    ],
  });
  return { $add: pauses.map(overlap) };
}

/** One page of rows. A row that was tried again has more than one attempt, or keeps the error of an earlier one. */
export function rowPipeline(
  range: Document,
  limit: number,
  { fineMs, pauses }: { fineMs: number; pauses: NonNullable<Run['pauses']> },
): Document[] {
  const timed = { $and: [isDate('sentAt'), isDate('dueAt')] };
  const waited = { $subtract: [{ $subtract: ['$sentAt', '$dueAt'] }, pausedMs(pauses)] };
  return [
    ...page(range, limit),
    {
      $project: {
        ...{ stage: 1, variant: 1, status: 1, reason: 1, sentAt: 1, code },
        followUp: { $and: [isNumber('step'), { $gt: ['$step', 0] }] },
        sent: isSet('sentAt'),
        pending: { $eq: ['$pending', true] },
        retried: {
          $or: [{ $and: [isNumber('attempts'), { $gt: ['$attempts', 1] }] }, { $eq: [{ $type: '$error' }, 'object'] }],
        },
        latency: { $cond: [timed, longMs({ $max: [0, waited] }), '$$REMOVE'] },
      },
    },
    {
      $facet: {
        last: lastOf,
        rows: [
          {
            $group: {
              _id: {
                ...{ stage: '$stage', variant: '$variant', status: '$status', reason: '$reason', code: '$code' },
                ...{ followUp: '$followUp', sent: '$sent', pending: '$pending' },
              },
              count: { $sum: 1 },
            },
          },
        ],
        latencies: [{ $match: { latency: { $exists: true } } }, ...byLength('$latency', { retried: '$retried' })],
        moments: [
          { $match: { sentAt: { $type: 'date' } } },
          { $group: { _id: { at: stepOf('$sentAt', fineMs), followUp: '$followUp' }, count: { $sum: 1 } } },
        ],
      },
    },
  ];
}

/** One page of conversations; those that replied each by itself, for their messages are looked up. */
export function conversationPipeline(range: Document, limit: number, { fineMs }: { fineMs: number }): Document[] {
  return [
    ...page(range, limit),
    {
      $project: {
        ...{ status: 1, outcome: 1, reason: 1, code, repliedAt: 1, variant: 1 },
        sequence: {
          $cond: [{ $and: [isNumber('sequence'), { $lt: ['$sequence', 1e9] }] }, { $toInt: '$sequence' }, 0],
        },
        replied: isSet('repliedAt'),
      },
    },
    {
      $facet: {
        last: lastOf,
        conversations: [
          {
            $group: {
              _id: { status: '$status', outcome: '$outcome', reason: '$reason', code: '$code', replied: '$replied' },
              count: { $sum: 1 },
            },
          },
        ],
        draws: [
          { $match: { variant: { $type: 'object' } } },
          { $project: { replied: 1, drawn: { $objectToArray: '$variant' } } },
          { $unwind: '$drawn' },
          {
            $group: {
              _id: { stage: '$drawn.k', variant: '$drawn.v' },
              conversations: { $sum: 1 },
              replied: { $sum: { $cond: ['$replied', 1, 0] } },
            },
          },
        ],
        replies: [
          { $match: { repliedAt: { $type: 'date' } } },
          { $project: { _id: { id: '$_id', repliedAt: '$repliedAt', sequence: '$sequence' } } },
        ],
        moments: [
          { $match: { repliedAt: { $type: 'date' } } },
          { $group: { _id: { at: stepOf('$repliedAt', fineMs) }, count: { $sum: 1 } } },
        ],
      },
    },
  ];
}
