/** What init would do, and whether the settings fit what the database was prepared with. Pure. */
import { type Conflict, conflictWords, type Plan, type Step, stepWords } from '../../mongo/preparation.ts';
import { plural } from '../output.ts';
import { failure, ok, type Result, type Verdict, warning } from './verdict.ts';

export interface Preparation {
  plan: Plan;
  partitions: number;
  hashKey: 'same' | 'new' | 'other' | 'gone';
  hasHashKey: boolean;
  database: string;
}

const ofKind = (steps: readonly Step[], kind: Step['kind']): number =>
  steps.filter((step) => step.kind === kind).length;

/** All that is missing in a line; each thing by itself is the detail. */
function summary(steps: readonly Step[]): string {
  const counted: [Step['kind'], string, string][] = [
    ['collection', 'collection', 'collections'],
    ['validator', 'validator', 'validators'],
    ['index', 'index', 'indexes'],
  ];
  const parts = counted
    .map(([kind, one, many]) => [ofKind(steps, kind), one, many] as const)
    .filter(([n]) => n > 0)
    .map(([n, one, many]) => plural(n, one, many));
  const rest = steps.filter(({ kind }) => !counted.some(([known]) => known === kind)).map(stepWords);
  return [...parts, ...rest].join(', ');
}

/** In mongosh. */
const drop = ({ collection, there }: Conflict): string =>
  `in mongosh: db.${collection}.dropIndex(${JSON.stringify(there)})`;

function judgePlan({ plan, database }: Preparation): Verdict {
  const { steps, conflicts, newer } = plan;
  const words = conflicts.map(conflictWords);
  const detail = [...steps.map(stepWords), ...words];
  if (newer !== undefined)
    return {
      ...warning(
        `database ${database} was prepared by a newer release (schema version ${newer}): init of this one leaves it as it is`,
        'run the newer release here, too',
      ),
      detail,
    };
  if (steps.length === 0 && conflicts.length === 0)
    return ok(`database ${database} has its collections, validators, indexes and partitions`);
  const isEmpty = ofKind(steps, 'collection') > 0 && steps.some(({ kind }) => kind === 'cluster');
  const found = `database ${database} is ${isEmpty ? 'not prepared' : 'not prepared in full'}`;
  const would = steps.length > 0 ? [`init would make ${summary(steps)}`] : [];
  const init = `communication-base init${isEmpty ? ' (the first worker does the same when it starts)' : ''}`;
  return { ...warning(`${found}: ${[...would, ...words].join('; ')}`, ...conflicts.map(drop), init), detail };
}

const keyVerdict = ({ hashKey, hasHashKey, database }: Preparation): Verdict => {
  if (hashKey === 'same') return ok('the key that the database was used with');
  if (hashKey === 'new' && hasHashKey) return ok('set; the first worker notes it in the database');
  if (hashKey === 'new')
    return warning(
      'not set: opt-outs are heeded, but whoever reads the database can try addresses against it, and `unsubscribe` has no {{ token }}',
      'set HASH_KEY before the first opt-out, never to change it: openssl rand -base64 32 makes one',
    );
  return failure(
    `${hashKey === 'gone' ? 'not set' : 'another one'} than database ${database} was used with: no worker starts, for those who opted out could not be known`,
    'set HASH_KEY to the key that the workers had; where it is lost for good, remove hashKeyCheck from the document "cluster" of settings, and opt out again whoever has to be',
  );
};

export function judgePreparation(facts: Preparation): Result[] {
  const as = (check: string, verdict: Verdict): Result => ({ group: 'preparation', check, ...verdict });
  const { plan, partitions } = facts;
  const other = plan.otherPartitions;
  const results = [as('HASH_KEY', keyVerdict(facts))];
  if (other !== undefined)
    return [
      as(
        'PARTITIONS',
        failure(
          `is ${partitions}, and the database was prepared for ${other}: no worker starts, for the count is fixed by init`,
          `set PARTITIONS=${other}`,
        ),
      ),
      ...results,
    ];
  return [as('database', judgePlan(facts)), ...results];
}
