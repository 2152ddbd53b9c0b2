/** What a member looks at rarely, for metrics alone. */

/** The primary's oplog: when its oldest and its newest entry were written, ms since the epoch. */
export interface OplogSpan {
  firstMs: number;
  lastMs: number;
}

export interface VitalsStore {
  /** Whether `stop-all` holds. */
  sendingStopped(): Promise<boolean>;
  /** Undefined where the user may not read `local.oplog.rs`. */
  oplog(): Promise<OplogSpan | undefined>;
}
