/** What the live view shows of a campaign; with `--json` a document a look. */
import type { opensFor } from '../../domain/campaignTypes.ts';
import type { Delay } from '../../domain/delays.ts';
import type { Metrics } from '../../domain/model.ts';
import type { Life } from '../../domain/partitions.ts';
import type { DueCounts, Estimate } from '../../domain/progress.ts';
import type { Trouble } from './watchTroubles.ts';

export interface MemberView {
  id: string;
  host: string;
  thread: number;
  life: Life;
  partitions: number;
  share: number;
  beat: number;
  /** Behind the changes of others; absent before the first batch. */
  lagSeconds?: number;
  /** Messages of this campaign a second. */
  rate?: number;
}

export interface StageView {
  stage: string;
  type: string;
  entered: number;
  sent: number;
  replied: number;
}

export interface Snapshot {
  /** By the clock of the database, as far as it is known. */
  at: Date;
  campaign: string;
  name?: string;
  /** Of the campaign document; "deleted" when only its run is left. */
  status: string;
  /** A worker has taken it up. */
  started: boolean;
  /** Nothing of it is left to do. */
  over: boolean;
  startedAt?: Date;
  completedAt?: Date;
  endAt?: Date;
  /** The campaign came to its `endAt`. */
  endedByDate: boolean;
  error?: { code: string; message: string; path?: string };
  metrics: Metrics;
  /** Messages in flight or waiting for another try. */
  pending: number;
  /** `of`: contacts in the audience, where that is known. */
  expansion: {
    expanded: number;
    skipped: Record<string, number>;
    done: boolean;
    of?: number;
    open?: NonNullable<ReturnType<typeof opensFor>>;
  };
  funnel: StageView[];
  /** Per second, over the last seconds; absent before the second look. */
  rates: { sent?: number; ended?: number; entered?: number };
  /** Messages a second from look to look, oldest first. */
  sentRates: number[];
  due?: DueCounts;
  /** ms until what is due now has left, at the present rate. */
  drainMs?: number;
  estimate: Estimate;
  delays: Delay[];
  troubles: Trouble[];
  /** Absent before the first look at the cluster. */
  members?: MemberView[];
  partitions?: number;
}
