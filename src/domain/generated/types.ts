// Generated from schemas/*.json by `npm run generate`. Do not edit.

import type { Audience, Expansion, Id, Metrics, PinnedAudience, RenderedContent } from '../model.ts';

export type Stage = MessageStage | WaitStage | BranchStage | SplitStage | EscalateStage | WebhookStage | EndStage;
/**
 * `control`: the stop switch. `cluster`: what is fixed for all members.
 *
 */
export type Setting = ControlSetting | ClusterSetting;

/**
 * Addresses that are in a campaign with `audience.dedupeBy: "address"`, as long as its audience is expanded.
 *
 */
export interface CampaignAddress {
  /**
   * `<campaignId>|<hash of the contact field and the address in its normal form>`, the campaign's id as in conversation ids.
   */
  _id: string;
}
/**
 * One per campaign and member, folded into `metrics`.
 *
 */
export interface Counters {
  /**
   * `<member>|<campaign>`.
   */
  _id: string;
  /**
   * What is counted.
   */
  campaignId: Id;
  /**
   * By whom.
   */
  memberId: string;
  /**
   * Rows that wait or are on their way.
   */
  pending?: number;
  /**
   * By name.
   */
  counts?: Record<string, unknown>;
  /**
   * true while something of it may not be in the `metrics` of a run that is settled. Always there while the run is open.
   */
  unfolded?: true;
  /**
   * When it was raised last.
   */
  updatedAt?: Date;
}
/**
 * How much of the period of its ramp a campaign has used, over all members. `_id` is that of the campaign.
 *
 */
export interface CampaignRamp {
  /**
   * That of the campaign.
   */
  _id: Id;
  /**
   * Begin of the period.
   */
  from: Date;
  /**
   * Messages that leave in it.
   */
  used: number;
}
/**
 * Our own record of a campaign: what was pinned at the start, how far the audience is expanded, what is folded.
 *
 */
export interface Run {
  /**
   * That of the campaign.
   */
  _id: Id;
  /**
   * Of the campaign.
   */
  tenant?: string;
  /**
   * Whose owner looks after it.
   */
  partition: number;
  /**
   * How far it is.
   */
  status: 'scheduled' | 'running' | 'paused' | 'cancelled' | 'completed';
  /**
   * true when nothing of the campaign is left to do.
   */
  settled: boolean;
  /**
   * Of the campaign; may change while it runs.
   */
  priority: number;
  flow: Flow;
  /**
   * As they were pinned.
   */
  variables: Record<string, unknown>;
  /**
   * What templates see as `campaign`.
   */
  campaign: Record<string, unknown>;
  /**
   * As it was pinned.
   */
  audience: PinnedAudience;
  /**
   * As it was pinned.
   */
  reentry?: {
    /**
     * When a contact may enter again.
     */
    policy: 'afterEnd' | 'after';
    /**
     * For the policy `after`.
     */
    after?: string;
  };
  /**
   * As it was pinned.
   */
  exitWhen?: Record<string, unknown>;
  /**
   * As it was pinned, with the `endAt` that was taken in last.
   */
  schedule?: {
    /**
     * When it begins.
     */
    startAt?: Date;
    /**
     * When it ends.
     */
    endAt?: Date;
    sendWindow?: SendWindowSource;
    /**
     * What becomes of a message that came due long ago, in an outage or a pause.
     */
    late?: {
      /**
       * `skip`: that message; `expire`: the conversation ends. `send` without it.
       */
      policy?: 'send' | 'skip' | 'expire';
      /**
       * Only what came due longer ago is late; PT6H without it.
       */
      after?: string;
    };
    /**
     * Of a recurring campaign.
     */
    recurrence?: string;
  };
  /**
   * true: outside send windows. Absent otherwise.
   */
  transactional?: true;
  /**
   * When the `endAt` of its schedule was taken in, if that was while it ran; where the end before it had come already, that end. Absent: it was known from the start.
   */
  endTakenInAt?: Date;
  /**
   * How to leave: becomes the headers of RFC 8058, and `unsubscribe.url` and `unsubscribe.mailto` in templates of content. Both are Liquid, over what content sees and `token`, which names the conversation.
   */
  unsubscribe?: {
    /**
     * An https:// address.
     */
    url?: string;
    /**
     * A mail address, with ?subject=… or not (RFC 6068).
     */
    mailto?: string;
  };
  /**
   * As its campaign has it; may change while it runs.
   */
  guard?: {
    /**
     * Of messages that failed for good at their provider, or whose tries are exhausted.
     */
    errorRate?: number;
    /**
     * Of messages that bounced, or that their provider says later have failed.
     */
    bounceRate?: number;
    /**
     * Of messages that somebody complained about.
     */
    complaintRate?: number;
    /**
     * The newest so many answered messages, at least, are looked at; 200 without it. Before there are so many nothing is said.
     */
    over?: number;
  };
  /**
   * How many messages may leave. May change while the campaign runs.
   */
  limits?: {
    /**
     * Messages a second over all replicas and channels, at least one a day (0.0000116): over any span T at most perSecond * T leave, and what a second allows at once. `rate_limits` may say otherwise.
     */
    perSecond?: number;
    /**
     * Warm-up: how many messages may leave in its first day (`50/d`) or hour (`5/h`), in the next one, and so on; the last entry holds from then on.
     *
     * @minItems 1
     * @maxItems 400
     */
    ramp?: string[];
    /**
     * No contact gets more than `count` messages in any span of `per` from all campaigns of the tenant that have such a limit.
     */
    maxMessagesPerContact?: {
      /**
       * How many.
       */
      count: number;
      /**
       * In which span.
       */
      per: string;
    };
    /**
     * What becomes of a message that would be one too many for its contact: `skip` (as when absent) or `delay`.
     */
    onCap?: 'skip' | 'delay';
  };
  /**
   * What it was pinned from.
   */
  template?: {
    /**
     * Its name.
     */
    id?: string;
    /**
     * Its version.
     */
    version?: number;
  };
  /**
   * Versions of the template that it was migrated to, each as it was pinned then. What was pinned at the start is `flow`, `variables` and `schedule`.
   */
  flows?: PinnedVersion[];
  migration?: RunMigration;
  /**
   * How far the audience is read.
   */
  expansion: Expansion;
  /**
   * Of an occurrence: the recurring campaign that it is one of.
   */
  parentId?: Id;
  /**
   * Of a recurring campaign: what its occurrences are made of beside what is pinned here by itself.
   */
  child?: Record<string, unknown>;
  /**
   * Of a recurring campaign. Without `next` none is left.
   */
  occurrences?: {
    /**
     * How many began.
     */
    begun: number;
    /**
     * Left out: a later one had come, too, when a worker could begin them.
     */
    missed: number;
    /**
     * The occurrence that began last, as its recurrence says it.
     */
    last?: Date;
    /**
     * The next one.
     */
    next?: Date;
  };
  /**
   * UUID of the collection `campaigns` in which its document was last seen: one that was dropped and made again has another.
   */
  collectionUuid?: string;
  /**
   * Raised by every commit that inserts conversations.
   */
  wake: number;
  /**
   * The folded counters: what `metrics` of the campaign is copied from.
   */
  metrics?: Metrics;
  /**
   * Why it ended before its time.
   */
  endReason?: 'campaign_ended' | 'campaign_cancelled';
  /**
   * Why it paused by itself.
   */
  pausedReason?: string;
  /**
   * When it was paused after its start, the newest 100; without `until` it still is.
   */
  pauses?: {
    /**
     * From.
     */
    from: Date;
    /**
     * Until.
     */
    until?: Date;
    [k: string]: unknown;
  }[];
  /**
   * When it was made.
   */
  createdAt: Date;
  /**
   * When it began to run.
   */
  startedAt?: Date;
  /**
   * When nothing was left.
   */
  completedAt?: Date;
  /**
   * When it was written last.
   */
  updatedAt: Date;
  /**
   * Of the campaign.
   */
  trace?: {
    /**
     * W3C Trace Context.
     */
    traceparent?: string;
    /**
     * The traceparent that the campaign's writer gave: the run's span is below it.
     */
    parent?: string;
  };
}
/**
 * A graph of stages; the first is the entry.
 *
 */
export interface Flow {
  /**
   * In order: silence leads from one to the next.
   *
   * @minItems 1
   * @maxItems 500
   */
  stages: Stage[];
  /**
   * Looked at before the `on` of a stage, in this order; the first that fits is followed.
   *
   * @maxItems 100
   */
  rules?: Rule[];
}
export interface Rule {
  /**
   * Type of the event.
   */
  on: string;
  /**
   * A MongoDB query, as of a branch.
   */
  when?: Record<string, unknown>;
  then: RuleAction;
}
/**
 * Exactly one of them.
 *
 */
export interface RuleAction {
  /**
   * The stage it leads to.
   */
  goto?: string;
  /**
   * Ends the conversation as completed, with this outcome.
   */
  end?: string;
  escalate?: RuleEscalation;
  /**
   * The address is not written to any more.
   */
  suppress?: true;
}
/**
 * Hands the conversation to a person.
 */
export interface RuleEscalation {
  /**
   * Who takes over.
   */
  to: string;
  /**
   * Why.
   */
  reason?: string;
}
/**
 * When messages to a contact may leave; see docs/timing.md.
 *
 */
export interface SendWindowSource {
  /**
   * The days it opens; every day without it.
   *
   * @minItems 1
   * @maxItems 7
   */
  days?: ('sun' | 'mon' | 'tue' | 'wed' | 'thu' | 'fri' | 'sat')[];
  /**
   * Local time at which it opens, `HH:MM`; 00:00 without it.
   */
  from?: string;
  /**
   * Local time at which it closes; on the next day when it is before `from`. 24:00 without it.
   */
  to?: string;
  /**
   * `contact`, or a zone of the tz database.
   */
  timezone?: string;
  /**
   * The zone of contacts without one, for `fallback`.
   */
  fallbackTimezone?: string;
  /**
   * What becomes of the messages of a contact without a known zone; `fallback` without it.
   */
  onUnknownZone?: 'fallback' | 'hold' | 'fail';
  /**
   * Dates on which it does not open, `YYYY-MM-DD`.
   *
   * @maxItems 1000
   */
  holidays?: string[];
  /**
   * Public holidays of a country or a part of it (ISO 3166), or `contact`.
   */
  holidayCountry?: string;
  /**
   * The hours in which the law of a country lets marketing reach people.
   */
  preset?: 'quietHours';
  /**
   * Whose law holds for `quietHours`; `contact` without it.
   */
  country?: string;
}
export interface PinnedVersion {
  /**
   * Which one.
   */
  version: number;
  flow: Flow;
  /**
   * Its variables.
   */
  variables: Record<string, unknown>;
  /**
   * Its `sendWindow` and `late`; the rest of the schedule is the run's.
   */
  schedule?: {
    sendWindow?: SendWindowSource;
    /**
     * What becomes of a message that came due long ago, in an outage or a pause.
     */
    late?: {
      /**
       * `skip`: that message; `expire`: the conversation ends. `send` without it.
       */
      policy?: 'send' | 'skip' | 'expire';
      /**
       * Only what came due longer ago is late; PT6H without it.
       */
      after?: string;
    };
  };
}
/**
 * The last migration. Who enters from then on follows version `to`.
 */
export interface RunMigration {
  /**
   * 1 for the first of the run.
   */
  number: number;
  /**
   * From this version.
   */
  from: number;
  /**
   * To this one.
   */
  to: number;
  /**
   * When it was taken.
   */
  startedAt: Date;
  /**
   * Partitions in which an active conversation may not have been asked yet.
   */
  left: number[];
  /**
   * When everybody was asked.
   */
  completedAt?: Date;
  [k: string]: unknown;
}
/**
 * What to run. Written by other services; version, error, expansion, occurrences, migration, metrics, results, startedAt, completedAt and trace by us.
 *
 */
export interface CampaignDocument {
  /**
   * Chosen by whoever inserts it; one `_id` has one run, ever.
   */
  _id: Id;
  /**
   * Whose campaign it is: limits count by it, and queries and figures have it.
   */
  tenant?: string;
  /**
   * For people; content sees it as `campaign.name`.
   */
  name?: string;
  /**
   * What a person can leave by itself; `default` without it.
   */
  topic?: string;
  /**
   * Who enters, and when; `sequence` without it.
   */
  type?: 'sequence' | 'broadcast' | 'recurring' | 'triggered';
  /**
   * How far it is, and what others ask for: see [the states of a campaign](contract.md#campaigns-their-states).
   */
  status: 'draft' | 'pending' | 'scheduled' | 'running' | 'paused' | 'completed' | 'cancelled' | 'failed';
  /**
   * 0 to 9: weight when there is not enough capacity (weight = priority + 1).
   */
  priority?: number;
  /**
   * true: outside send windows, caps and the opt-outs of topics; never outside opt-outs from everything and hard bounces.
   */
  transactional?: boolean;
  /**
   * When it runs; without it, from now on.
   */
  schedule?: {
    /**
     * When it begins; at once without it.
     */
    startAt?: Date;
    /**
     * From then on nothing new leaves, and what is open is cancelled. May change while it runs.
     */
    endAt?: Date;
    sendWindow?: SendWindowSource;
    /**
     * What becomes of a message that came due long ago, in an outage or a pause.
     */
    late?: {
      /**
       * `skip`: that message; `expire`: the conversation ends. `send` without it.
       */
      policy?: 'send' | 'skip' | 'expire';
      /**
       * Only what came due longer ago is late; PT6H without it.
       */
      after?: string;
    };
    /**
     * When a campaign of type `recurring` occurs: DTSTART, RRULE, RDATE and EXDATE of RFC 5545.
     */
    recurrence?: string;
  };
  /**
   * Who gets it: `contacts`, or a `collection`. Read at the start; edits later change nothing.
   */
  audience?: Audience;
  /**
   * Whether a contact may enter again, never while it is in the campaign: `never` (as when absent), `afterEnd`, or `after` so long since it entered last.
   */
  reentry?: {
    /**
     * When.
     */
    policy: 'never' | 'afterEnd' | 'after';
    /**
     * For the policy `after`.
     */
    after?: string;
  };
  /**
   * Whoever fits it leaves instead of getting the next message: a query over `contact`, as it is then, and `conversation`.
   */
  exitWhen?: Record<string, unknown>;
  /**
   * The template whose flow it runs, instead of a `flow` of its own.
   */
  templateId?: string;
  /**
   * Its version; the latest one at the start without it.
   */
  templateVersion?: number;
  /**
   * Asks for another version of its template, while it runs or is paused. We take the field away with the answer: `migration`, or an `error`.
   */
  migrate?: {
    /**
     * The version.
     */
    toVersion: number;
  };
  flow?: Flow;
  /**
   * Values that content and conditions see as `variables`.
   */
  variables?: Record<string, unknown>;
  /**
   * How to leave: becomes the headers of RFC 8058, and `unsubscribe.url` and `unsubscribe.mailto` in templates of content. Both are Liquid, over what content sees and `token`, which names the conversation.
   */
  unsubscribe?: {
    /**
     * An https:// address.
     */
    url?: string;
    /**
     * A mail address, with ?subject=… or not (RFC 6068).
     */
    mailto?: string;
  };
  /**
   * When more than a share of its newest messages fail, bounce or are complained about, the campaign pauses itself and says so in `error`.
   */
  guard?: {
    /**
     * Of messages that failed for good at their provider, or whose tries are exhausted.
     */
    errorRate?: number;
    /**
     * Of messages that bounced, or that their provider says later have failed.
     */
    bounceRate?: number;
    /**
     * Of messages that somebody complained about.
     */
    complaintRate?: number;
    /**
     * The newest so many answered messages, at least, are looked at; 200 without it. Before there are so many nothing is said.
     */
    over?: number;
  };
  /**
   * How many messages may leave. May change while the campaign runs.
   */
  limits?: {
    /**
     * Messages a second over all replicas and channels, at least one a day (0.0000116): over any span T at most perSecond * T leave, and what a second allows at once. `rate_limits` may say otherwise.
     */
    perSecond?: number;
    /**
     * Warm-up: how many messages may leave in its first day (`50/d`) or hour (`5/h`), in the next one, and so on; the last entry holds from then on.
     *
     * @minItems 1
     * @maxItems 400
     */
    ramp?: string[];
    /**
     * No contact gets more than `count` messages in any span of `per` from all campaigns of the tenant that have such a limit.
     */
    maxMessagesPerContact?: {
      /**
       * How many.
       */
      count: number;
      /**
       * In which span, up to P93D.
       */
      per: string;
    };
    /**
     * What becomes of a message that would be one too many for its contact: `skip` (as when absent) or `delay`.
     */
    onCap?: 'skip' | 'delay';
  };
  /**
   * Of an occurrence: the recurring campaign that it is one of.
   */
  parentId?: Id;
  /**
   * Raised by our writes.
   */
  version?: number;
  /**
   * What is wrong: why it failed or paused, or which wish was refused. Taken away when it is mended.
   */
  error?: {
    /**
     * A word for programs.
     */
    code: string;
    /**
     * What is wrong, for people.
     */
    message: string;
    /**
     * Where, as in `flow.stages[2].channel`.
     */
    path?: string;
    [k: string]: unknown;
  };
  /**
   * How far its audience is read. A copy; the truth is in `campaign_runs`.
   */
  expansion?: Record<string, unknown>;
  /**
   * Of a recurring campaign, a copy of its run's: when the last one began and when the next one comes, how many have begun, how many were left out.
   */
  occurrences?: Record<string, unknown>;
  /**
   * The last migration: `from`, `to`, `startedAt`; once every active conversation was asked `completedAt`, how many `moved`, and how many `stayed`, by stage.
   */
  migration?: Record<string, unknown>;
  /**
   * What came of it so far; two seconds behind at most while it runs, exact at its end.
   */
  metrics?: Metrics;
  /**
   * At the end: a summary.
   */
  results?: Record<string, unknown>;
  /**
   * When it began to run.
   */
  startedAt?: Date;
  /**
   * When nothing was left to do.
   */
  completedAt?: Date;
  /**
   * `traceparent` (W3C Trace Context) of whoever asked for it.
   */
  trace?: Record<string, unknown>;
  [k: string]: unknown;
}
/**
 * One person of an audience. `id` is unique in a campaign.
 *
 */
export interface Contact {
  /**
   * String of up to 128 bytes, number or ObjectId.
   */
  id: Id;
  /**
   * A mail address; compared in lower case.
   */
  email?: string;
  /**
   * A telephone number, best with its country (`+49…`).
   */
  phone?: string;
  /**
   * Where that is another number than `phone`.
   */
  whatsapp?: string;
  /**
   * Where webhooks to this contact go.
   */
  url?: string;
  /**
   * For content.
   */
  name?: string;
  /**
   * BCP 47: chooses among `content.locales`.
   */
  locale?: string;
  /**
   * A zone of the tz database, for send windows.
   */
  timezone?: string;
  /**
   * ISO 3166, for holidays and quiet hours.
   */
  country?: string;
  /**
   * Anything the templates use.
   */
  attributes?: Record<string, unknown>;
}
/**
 * What a contact was sent lately by campaigns with `limits.maxMessagesPerContact`. `_id` = `<tenant>:<contact id>`, both encoded as in the ids of conversations; without a tenant `:<contact id>`.
 *
 */
export interface ContactPressure {
  /**
   * `<tenant>:<contact id>`.
   */
  _id: string;
  /**
   * Of the campaigns.
   */
  tenant?: string;
  /**
   * As the campaigns have it.
   */
  contactId: Id;
  /**
   * +1 at every write; the first is the time, so that a document which was removed and made again never passes for the one before.
   */
  version: number;
  /**
   * Messages that were decided within the longest span of a limit (93 days), the newest 200.
   */
  sends: {
    /**
     * Of the message.
     */
    id: string;
    /**
     * When it was decided to send it, the last time it was tried.
     */
    at: Date;
  }[];
  /**
   * When nothing of it counts any more.
   */
  expireAt: Date;
}
/**
 * One per campaign and contact. Written by us; others only $push to `inbox`.
 *
 */
export interface Conversation {
  /**
   * `<campaignId>:<contactId>`, from the second entry of a contact on `:<n>`; see [ids](contract.md#ids).
   */
  _id: string;
  /**
   * As its writer gave it.
   */
  campaignId: Id;
  /**
   * Of its campaign.
   */
  tenant?: string;
  contact: Contact;
  /**
   * Whose owner works on it: a hash of its `_id`.
   */
  partition: number;
  /**
   * +1 at every write of ours; absent from others' pushes.
   */
  version: number;
  /**
   * How far it is.
   */
  status: 'active' | 'completed' | 'escalated' | 'failed' | 'suppressed' | 'cancelled';
  /**
   * The stage it is in.
   */
  stage: string;
  /**
   * What comes next in the stage: 0 its message, n its n-th follow-up, one more than there are follow-ups: the end of its silence.
   */
  step: number;
  /**
   * The version of its campaign's template that it follows; absent: the one that was pinned at the start of the campaign.
   */
  flowVersion?: number;
  /**
   * Number of the last migration of its run that it was asked to follow, whether or not it could.
   */
  migration?: number;
  /**
   * When something is due. Absent: nothing is, it waits for an event or an answer.
   */
  nextActionAt?: Date;
  /**
   * Channel that the next action needs, `-` if none.
   */
  nextChannel?: string;
  /**
   * true until its first action; gives what continues a conversation a share of its own.
   */
  opening?: true;
  /**
   * true once a message of its stage gave way to the fallback: what goes by the stage's channel goes by the fallback's.
   */
  fallback?: true;
  /**
   * Why nextActionAt is later than the flow says. zone: the contact's time zone is not known. cap: its contact has had as many messages as the limit allows. warm_up: the ramp of the campaign has no room. rate: its mail domain gets no more a second.
   */
  delayed?: 'retry' | 'window' | 'holiday' | 'zone' | 'cap' | 'warm_up' | 'rate';
  /**
   * Of a contact's first conversation: how many it has by now, from the second on.
   */
  entries?: number;
  /**
   * Number of messages so far.
   */
  sequence: number;
  /**
   * The message that has to be tried again, at `nextActionAt`.
   */
  awaiting?: string;
  /**
   * `<channel>:<hash>`, by which inbound events find it.
   */
  addresses?: string[];
  /**
   * How it ended: a word of the author, or ours (`replied`, `finished`, `hold_out`, `bounced`, `exit_condition`, `expired`).
   */
  outcome?: string;
  /**
   * First reply of a person.
   */
  repliedAt?: Date;
  /**
   * Why it ended so, as with messages.
   */
  reason?: string;
  /**
   * By split stage.
   */
  variant?: Record<string, unknown>;
  /**
   * What it learnt, over the campaign's: answers of webhooks by stage.
   */
  variables?: Record<string, unknown>;
  /**
   * The event that moved it last.
   */
  event?: {
    /**
     * Its id.
     */
    id?: string;
    /**
     * Its type.
     */
    type: string;
    /**
     * Where it came from.
     */
    channel?: string;
    /**
     * What was said, 1,000 characters at most.
     */
    text?: string;
    /**
     * When it happened.
     */
    at?: Date;
    /**
     * Where it is small.
     */
    data?: Record<string, unknown>;
    [k: string]: unknown;
  };
  /**
   * `sequence` as it was when an event moved it last: what becomes of that message leads nowhere any more.
   */
  ledAfter?: number;
  /**
   * `_id` of the open document in `escalations`.
   */
  escalation?: string;
  /**
   * Why it failed.
   */
  error?: {
    /**
     * A word for programs.
     */
    code: string;
    /**
     * What is wrong, for people.
     */
    message: string;
    /**
     * Where, as in `flow.stages[2].channel`.
     */
    path?: string;
    [k: string]: unknown;
  };
  /**
   * Events that others push and we consume, each once, in this order; `[]` when it is empty.
   */
  inbox: InboxEvent[];
  /**
   * Ids of the newest events: at least the last 200 are remembered.
   *
   * @maxItems 1000
   */
  consumed: string[];
  /**
   * What happened, the newest 100.
   *
   * @maxItems 100
   */
  history: HistoryEntry[];
  /**
   * The trace of this conversation.
   */
  trace?: {
    /**
     * W3C Trace Context.
     */
    traceparent?: string;
  };
  /**
   * When its contact entered.
   */
  createdAt: Date;
  /**
   * When we wrote it last.
   */
  updatedAt: Date;
  /**
   * When it may be removed. Not set by this release.
   */
  expireAt?: Date;
}
export interface InboxEvent {
  /**
   * What tells it from others: a second one with this id is dropped. Without it each push is an event of its own.
   */
  id?: string;
  /**
   * `reply`, `bounce`, `complaint`, `unsubscribe`, `delivered`, `opened`, `clicked`, `resume`, `contact`, or a word that the flow knows.
   */
  type: string;
  /**
   * Where it came from.
   */
  channel?: string;
  /**
   * What was said.
   */
  text?: string;
  /**
   * When it happened.
   */
  at?: Date;
  /**
   * Anything else.
   */
  data?: Record<string, unknown>;
  /**
   * An automatic answer (RFC 3834): no reply.
   */
  auto?: boolean;
  /**
   * Made by a machine: moves nothing.
   */
  machine?: boolean;
  [k: string]: unknown;
}
export interface HistoryEntry {
  /**
   * By our clock.
   */
  at: Date;
  /**
   * Where.
   */
  stage?: string;
  /**
   * What: for an inbox event its type.
   */
  event: string;
  /**
   * More of it; `id` is that of the event.
   */
  detail?: Record<string, unknown>;
}
/**
 * What could not be used, and why.
 *
 */
export interface DeadLetter {
  /**
   * Ours.
   */
  _id?: Id;
  /**
   * Where it was.
   */
  collection: string;
  /**
   * Its `_id` there.
   */
  documentId?: unknown;
  /**
   * Whose event it was.
   */
  conversationId?: string;
  /**
   * The campaign it belongs to.
   */
  campaignId?: Id;
  /**
   * Why it is here.
   */
  reason: string;
  /**
   * What is wrong with it.
   */
  error?: {
    /**
     * A word for programs.
     */
    code: string;
    /**
     * What is wrong, for people.
     */
    message: string;
    /**
     * Where, as in `flow.stages[2].channel`.
     */
    path?: string;
    [k: string]: unknown;
  };
  /**
   * All of it, as it was.
   */
  document?: unknown;
  /**
   * When it was put here.
   */
  at: Date;
}
/**
 * One contact into a triggered campaign. Inserted by others; handledAt, conversationId, reason and error by us.
 *
 */
export interface Enrollment {
  /**
   * Any; a second insert of it is refused.
   */
  _id: Id;
  /**
   * A campaign of type `triggered`.
   */
  campaignId: Id;
  contact: Contact;
  /**
   * When it happened: not ahead of now. Whoever comes first enters first, whatever it says.
   */
  at?: Date;
  /**
   * When it was decided; absent while it waits.
   */
  handledAt?: Date;
  /**
   * The conversation it began.
   */
  conversationId?: string;
  /**
   * Why it began none: duplicate_contact (the contact is in the campaign, and `reentry` does not let it in now), contact_invalid, campaign_ended, campaign_cancelled, not_allowed (see `error`).
   */
  reason?: 'duplicate_contact' | 'contact_invalid' | 'campaign_ended' | 'campaign_cancelled' | 'not_allowed';
  /**
   * What is wrong with it. Beside no handledAt: what it waits for.
   */
  error?: {
    /**
     * A word for programs.
     */
    code: string;
    /**
     * What is wrong, for people.
     */
    message: string;
    /**
     * Where, as in `flow.stages[2].channel`.
     */
    path?: string;
    [k: string]: unknown;
  };
  [k: string]: unknown;
}
/**
 * A conversation that was handed to a person, who answers by an event `resume` in its inbox.
 *
 */
export interface Escalation {
  /**
   * `<conversation id>/e<version>`
   */
  _id: string;
  /**
   * As its writer gave it.
   */
  campaignId: Id;
  /**
   * Whose inbox the answer goes to.
   */
  conversationId: string;
  /**
   * Of its campaign.
   */
  tenant?: string;
  contact: Contact;
  /**
   * Where the conversation stands.
   */
  stage: string;
  /**
   * Who is asked.
   */
  to: string;
  /**
   * Why, in the words of the author.
   */
  reason?: string;
  /**
   * open: somebody is waited for; resumed: they gave it back; expired: nobody took it up in time; closed: the conversation ended otherwise.
   */
  status: 'open' | 'resumed' | 'expired' | 'closed';
  /**
   * When it goes on by itself.
   */
  expiresAt?: Date;
  /**
   * What was said so far, oldest first, the newest 100.
   *
   * @maxItems 100
   */
  transcript: TranscriptEntry[];
  /**
   * Since when it is open.
   */
  createdAt: Date;
  /**
   * When it ended.
   */
  endedAt?: Date;
  /**
   * When it may be removed. Not set by this release.
   */
  expireAt?: Date;
}
export interface TranscriptEntry {
  /**
   * When.
   */
  at: Date;
  /**
   * Who said it.
   */
  from: 'us' | 'contact';
  /**
   * Type of what came in.
   */
  event?: string;
  /**
   * By which channel.
   */
  channel?: string;
  /**
   * Ours: which message.
   */
  messageId?: string;
  /**
   * Ours: what became of it.
   */
  status?: string;
  /**
   * Of mail.
   */
  subject?: string;
  /**
   * What was said.
   */
  text?: string;
}
export interface MessageStage {
  /**
   * Its name, one of a kind in the flow.
   */
  id: string;
  /**
   * What kind of stage it is.
   */
  type: 'message';
  /**
   * Name of a configured channel.
   */
  channel: string;
  content: Content;
  /**
   * Time between entering the stage and its message.
   */
  delay?: string;
  /**
   * What is said while no reply has come, one after the other.
   *
   * @maxItems 50
   */
  followUps?: FollowUp[];
  /**
   * How long to wait for a reply after the last message of the stage.
   */
  waitForReply?: string;
  fallback?: Fallback;
  sendWindow?: SendWindowSource;
  /**
   * Where an event leads: reply, noReply, bounce, failed or a word of the author.
   */
  on?: {
    [k: string]: string;
  };
}
/**
 * Its strings are Liquid templates over `contact`, `variables`, `campaign` (`id`, `name`), `conversation` (`id`, `stage`, `step`, `sequence`), `event` (the one that moved the conversation last) and, where the campaign has `unsubscribe`, `unsubscribe.url` and `unsubscribe.mailto`: the links of this conversation, for people to see.
 *
 */
export interface Content {
  /**
   * Of mail.
   */
  subject?: string;
  /**
   * Plain text.
   */
  text?: string;
  /**
   * Of mail.
   */
  html?: string;
  /**
   * Any JSON value; its strings are Liquid templates.
   */
  body?: unknown;
  /**
   * Of mail: see [mail](mail.md).
   *
   * @maxItems 20
   */
  attachments?: Record<string, unknown>[];
  /**
   * Variants by BCP 47 tag; the longest tag that fits the contact's locale wins.
   */
  locales?: {
    [k: string]: ContentVariant;
  };
}
export interface ContentVariant {
  /**
   * Of mail.
   */
  subject?: string;
  /**
   * Plain text.
   */
  text?: string;
  /**
   * Of mail.
   */
  html?: string;
  /**
   * Any JSON value.
   */
  body?: unknown;
  /**
   * Of mail.
   *
   * @maxItems 20
   */
  attachments?: Record<string, unknown>[];
}
export interface FollowUp {
  /**
   * Time of silence before this follow-up is sent.
   */
  after: string;
  content?: Content;
  /**
   * By another channel than its stage.
   */
  channel?: string;
}
/**
 * Where a message of the stage goes that its own channel cannot deliver: once, as the next message of the conversation.
 *
 */
export interface Fallback {
  /**
   * Name of a configured channel, another than the stage's.
   */
  channel: string;
  /**
   * It also takes the place of a message that its channel has not taken so long after it was due or, if that was later, decided.
   */
  after?: string;
  content?: Content;
}
export interface WaitStage {
  /**
   * Its name, one of a kind in the flow.
   */
  id: string;
  /**
   * What kind of stage it is.
   */
  type: 'wait';
  /**
   * How long it waits. Exactly one of `for`, `businessDays`, `until` and `event`.
   */
  for?: string;
  /**
   * How many working days it waits: days on which the campaign's send window opens, Monday to Friday without one.
   */
  businessDays?: number;
  /**
   * A date, or `<path> + <duration>` over contact, variables and event, as in `contact.attributes.renewal - P7D`. What has passed already is not waited for.
   */
  until?: string | Date;
  /**
   * Where it goes on when there is no date to wait until; without it the conversation fails.
   */
  onMissing?: string;
  /**
   * Type of the event that it waits for: then it goes on to the next stage.
   */
  event?: string;
  /**
   * How long it waits for the event; without it, for ever.
   */
  timeout?: string;
  /**
   * Where it goes on when the event has not come; the next stage without it.
   */
  onTimeout?: string;
  /**
   * Where an event leads: reply, noReply, bounce, failed or a word of the author.
   */
  on?: {
    [k: string]: string;
  };
}
export interface EndStage {
  /**
   * Its name, one of a kind in the flow.
   */
  id: string;
  /**
   * What kind of stage it is.
   */
  type: 'end';
  /**
   * How conversations end here: a word of the author.
   */
  outcome: string;
}
export interface BranchStage {
  /**
   * Its name, one of a kind in the flow.
   */
  id: string;
  /**
   * What kind of stage it is.
   */
  type: 'branch';
  /**
   * Looked at in this order; the first that holds is taken.
   *
   * @minItems 1
   * @maxItems 50
   */
  branches: Branch[];
}
export interface Branch {
  /**
   * A MongoDB query over contact, variables, campaign, conversation and event; without it the branch is always taken.
   */
  when?: Record<string, unknown>;
  /**
   * The stage it leads to.
   */
  goto: string;
}
export interface SplitStage {
  /**
   * Its name, one of a kind in the flow.
   */
  id: string;
  /**
   * What kind of stage it is.
   */
  type: 'split';
  /**
   * What conversations are drawn into.
   *
   * @minItems 1
   * @maxItems 20
   */
  variants: SplitVariant[];
}
export interface SplitVariant {
  /**
   * Its name, in results and on messages.
   */
  variant: string;
  /**
   * Share of the conversations, in proportion to the others'.
   */
  weight: number;
  /**
   * Without it, it is a hold-out: the conversation ends as `hold_out`.
   */
  goto?: string;
}
export interface EscalateStage {
  /**
   * Its name, one of a kind in the flow.
   */
  id: string;
  /**
   * What kind of stage it is.
   */
  type: 'escalate';
  /**
   * Who takes over: any word, for those who read `escalations`.
   */
  to: string;
  /**
   * For whoever takes over.
   */
  reason?: string;
  notify?: Notification;
  /**
   * So long it waits for a person, then it goes on; without it the conversation counts as ended.
   */
  after?: string;
  /**
   * Where it goes on when nobody took it up; the next stage without it.
   */
  onTimeout?: string;
  /**
   * Where an event leads: reply, noReply, bounce, failed or a word of the author.
   */
  on?: {
    [k: string]: string;
  };
}
export interface Notification {
  /**
   * Name of a configured channel.
   */
  channel: string;
  /**
   * Liquid: who is notified.
   */
  to: string;
  content: Content;
}
export interface WebhookStage {
  /**
   * Its name, one of a kind in the flow.
   */
  id: string;
  /**
   * What kind of stage it is.
   */
  type: 'webhook';
  /**
   * Name of a configured channel of driver webhook or http.
   */
  channel: string;
  /**
   * Liquid: the address, if the channel's own is not meant. Without it the contact's address on the channel, or the conversation's id.
   */
  to?: string;
  /**
   * Any JSON value; its strings are Liquid templates.
   */
  body: unknown;
  /**
   * Keep the answer, a JSON object of 16 KB at most, as `variables.<id of the stage>`.
   */
  keep?: boolean;
  /**
   * Where an event leads: reply, noReply, bounce, failed or a word of the author.
   */
  on?: {
    [k: string]: string;
  };
}
/**
 * What others heard of an address or a message, without knowing the conversation. Written by others; how it was taken is ours.
 *
 */
export interface InboundEvent {
  /**
   * The id that its source gave it: a second insert is refused.
   */
  _id: Id;
  /**
   * reply, bounce, complaint, unsubscribe, delivered, opened, clicked, failed, or a word of the author.
   */
  type: string;
  /**
   * Channel it came by; needed beside `address`.
   */
  channel?: string;
  /**
   * Whose it is: a mail address or a phone number, in any usual form.
   */
  address?: string;
  /**
   * Where it is known.
   */
  conversationId?: string;
  /**
   * Of the message it is about, as its provider named it; one that is not known yet is tried again for a minute.
   */
  providerMessageId?: string;
  /**
   * What was said.
   */
  text?: string;
  /**
   * When it happened.
   */
  at?: Date;
  /**
   * Anything else: `topic`, `soft`, `messageId` are known.
   */
  data?: Record<string, unknown>;
  /**
   * An automatic answer (RFC 3834).
   */
  auto?: boolean;
  /**
   * Made by a machine: moves nothing.
   */
  machine?: boolean;
  /**
   * Ours: when it was moved, found to be nobody's, or failed.
   */
  handledAt?: Date;
  /**
   * Ours: whose inbox it was moved to.
   */
  conversations?: string[];
  /**
   * Ours: no open conversation, or several contacts.
   */
  unmatched?: true;
  /**
   * Ours: it cannot be used; `error` says why.
   */
  status?: 'failed';
  /**
   * Why it cannot be used.
   */
  error?: {
    /**
     * A word for programs.
     */
    code: string;
    /**
     * What is wrong, for people.
     */
    message: string;
    /**
     * Where, as in `flow.stages[2].channel`.
     */
    path?: string;
    [k: string]: unknown;
  };
  [k: string]: unknown;
}
export interface ChannelState {
  /**
   * `open`: nothing is handed over. `half_open`: one message is tried.
   */
  state: 'open' | 'half_open';
  /**
   * When it opened.
   */
  since: Date;
  /**
   * When one message is tried next.
   */
  until?: Date;
  /**
   * Of the last answer that opened it.
   */
  code: string;
  /**
   * Of that answer.
   */
  message: string;
}
export interface StreamPosition {
  /**
   * Resume token (`_data`); compares as a string.
   */
  token: string;
  /**
   * Identity of the replica set it belongs to.
   */
  replicaSet: string;
  /**
   * The filter it was read by.
   */
  filterVersion: number;
}
/**
 * One worker thread in the cluster.
 *
 */
export interface Member {
  /**
   * New at each join.
   */
  _id: string;
  /**
   * The machine.
   */
  host: string;
  /**
   * Which one of its process.
   */
  thread: number;
  /**
   * lsid of the ledger's session (UUID).
   */
  sessionId?: unknown;
  /**
   * Raised by each transaction.
   */
  beat: number;
  position?: StreamPosition;
  /**
   * Which changes it asks for.
   */
  filterVersion: number;
  /**
   * Names of its channels.
   */
  channels: string[];
  /**
   * By name, channels that are left alone for a while because their provider fails or asks for it. One that works is not in it.
   */
  channelStates?: {
    [k: string]: ChannelState;
  };
  /**
   * Its release.
   */
  version: string;
  /**
   * When it joined.
   */
  startedAt: Date;
}
/**
 * Outbox and log of what went out. `_id` = `<conversationId>/<sequence>` is the idempotency key.
 *
 */
export interface Message {
  /**
   * `<conversationId>/<sequence>`: the idempotency key, the same for every try.
   */
  _id: string;
  /**
   * As its writer gave it.
   */
  campaignId: Id;
  /**
   * Whose message it is.
   */
  conversationId: string;
  /**
   * That of the conversation.
   */
  partition: number;
  /**
   * Which stage says it.
   */
  stage: string;
  /**
   * 0 the message of the stage, n its n-th follow-up.
   */
  step: number;
  /**
   * Of the split that led here.
   */
  variant?: string;
  /**
   * By which it leaves.
   */
  channel: string;
  /**
   * The address.
   */
  to?: string;
  /**
   * What it says, rendered; settled before it leaves.
   */
  content?: RenderedContent;
  /**
   * What became of it; it never runs backwards.
   */
  status: 'queued' | 'sending' | 'sent' | 'failed' | 'uncertain' | 'skipped' | 'delivered' | 'bounced';
  /**
   * Why it was not sent; a closed list.
   */
  reason?:
    | 'suppressed'
    | 'unsubscribed_topic'
    | 'provider_opted_out'
    | 'address_missing'
    | 'address_invalid'
    | 'not_allowed'
    | 'contact_invalid'
    | 'duplicate_contact'
    | 'duplicate_address'
    | 'hold_out'
    | 'frequency_cap'
    | 'window_expired'
    | 'late_skipped'
    | 'campaign_ended'
    | 'campaign_cancelled'
    | 'stopped'
    | 'superseded'
    | 'replied'
    | 'exit_condition'
    | 'session_closed'
    | 'template_variable_missing'
    | 'template_error'
    | 'content_empty'
    | 'provider_rejected'
    | 'retries_exhausted'
    | 'uncertain';
  /**
   * Tries so far; a provider that says "later" (429) is none.
   */
  attempts: number;
  /**
   * When it was due.
   */
  dueAt: Date;
  /**
   * true while queued or sending.
   */
  pending?: true;
  /**
   * true of one that leaves by the fallback of its stage.
   */
  fallback?: true;
  /**
   * true of one that was tried, once the fallback of its stage took its place: another try would say the same twice.
   */
  gaveWay?: true;
  /**
   * true once nobody knows of a try whether it left: no fallback takes its place because it is late, and on a channel that delivers at most once it is tried again only if somebody takes that risk.
   */
  mayHaveLeft?: true;
  /**
   * The document of contact_pressure that counts it. Absent: none does, or no longer.
   */
  pressure?: string;
  /**
   * Begin of the period of its campaign's ramp that counts it. Absent: there is no ramp, or it never left.
   */
  ramp?: Date;
  /**
   * Parts that the text is as SMS, counted before it left. Only on channels that send SMS themselves (driver twilio).
   */
  segments?: number;
  /**
   * What the provider calls it.
   */
  providerMessageId?: string;
  /**
   * The last answer that was none.
   */
  error?: {
    /**
     * A word for programs.
     */
    code: string;
    /**
     * What is wrong, for people.
     */
    message: string;
    /**
     * Where, as in `flow.stages[2].channel`.
     */
    path?: string;
    [k: string]: unknown;
  };
  /**
   * When it was decided.
   */
  queuedAt: Date;
  /**
   * When it was handed to its channel last.
   */
  handedAt?: Date;
  /**
   * When its provider took it.
   */
  sentAt?: Date;
  /**
   * The earliest of its receipts of that kind, as are the three that follow.
   */
  deliveredAt?: Date;
  /**
   * When it was opened first.
   */
  openedAt?: Date;
  /**
   * When a link was followed first.
   */
  clickedAt?: Date;
  /**
   * It bounced, or its provider says that it failed after all.
   */
  bouncedAt?: Date;
  /**
   * Somebody complained about it.
   */
  complainedAt?: Date;
  /**
   * Somebody asked for another try after it had failed or become uncertain.
   */
  replay?: {
    /**
     * When that was last decided.
     */
    at: Date;
    /**
     * How often it was asked for.
     */
    count: number;
    /**
     * Its conversation has ended, and stays so: only the row changes, and what it counts.
     */
    alone?: true;
    /**
     * Why it got no other try.
     */
    refused?:
      'campaign_cancelled' | 'campaign_ended' | 'moved_on' | 'busy' | 'sent_anew' | 'never_written' | 'may_have_left';
  };
  /**
   * The message that is sent anew by this one, with a key of its own.
   */
  replayOf?: string;
  /**
   * The message by which this one was sent anew.
   */
  replayedAs?: string;
  /**
   * The member that decided it last.
   */
  worker?: string;
  /**
   * Of its conversation.
   */
  trace?: {
    /**
     * W3C Trace Context.
     */
    traceparent?: string;
  };
  /**
   * When it may be removed. Not set by this release.
   */
  expireAt?: Date;
}
/**
 * A hash slice of the conversations.
 *
 */
export interface Partition {
  /**
   * Its number, from 0.
   */
  _id: number;
  /**
   * The member that works on it; absent while nobody does.
   */
  owner?: string;
  position?: StreamPosition;
}
/**
 * Slots of a limit that holds over all replicas. `_id` = `channel:<name>`, or `campaign:<campaign id>` (as in the ids of conversations), which goes when the campaign is over, or `domain:<channel>:<domain>` (`*`: each other domain), which goes when nobody asks for it. `rate` and `burst` are written by operators and go before the environment and the campaign, at once; the rest is ours.
 *
 */
export interface RateLimitDocument {
  /**
   * What it limits.
   */
  _id: string;
  /**
   * Messages a second as a number, or as text: `100/s`, `30/m`, `5/h`, `1/d`.
   */
  rate?: string | number;
  /**
   * Over any span T at most rate * T + burst messages leave. Default: what a second allows.
   */
  burst?: number;
  /**
   * Theoretical arrival time (GCRA), ms since the epoch by the server's clock: when the next slot would be if none could come early.
   */
  tat?: number;
  /**
   * The limit by which slots were last given out.
   */
  inForce?: {
    /**
     * Slots a second.
     */
    perSecond: number;
    /**
     * How many may come at once.
     */
    burst: number;
  };
  /**
   * The slots that were last given out: how many, and when (ms since the epoch).
   */
  taken?: {
    /**
     * When.
     */
    at: number;
    /**
     * How many.
     */
    count: number;
    /**
     * The first of them.
     */
    first: number;
  };
}
export interface ControlSetting {
  /**
   * The stop switch.
   */
  _id: 'control';
  /**
   * `stopped`: nothing of any campaign leaves.
   */
  sending: 'on' | 'stopped';
  /**
   * Since when it is so.
   */
  at?: Date;
  /**
   * Who said so: user and machine.
   */
  by?: string;
  /**
   * Why, in the words of whoever said so.
   */
  reason?: string;
}
export interface ClusterSetting {
  /**
   * What holds for all members.
   */
  _id: 'cluster';
  /**
   * How finely conversations are shared out.
   */
  partitions: number;
  /**
   * Which release prepared the database last.
   */
  schemaVersion: number;
  /**
   * Tells HASH_KEY from another one, and nothing else.
   */
  hashKeyCheck?: string;
}
/**
 * Who must not be written to: `_id` = `<channel>:<topic or *>:<hash of the address>`. Written by us; others opt people out by `inbound_events`.
 *
 */
export interface Suppression {
  /**
   * `<channel>:<topic or *>:<hash>`.
   */
  _id: string;
  /**
   * opt_out: a word such as STOP. unsubscribe, bounce, complaint: an event. provider_opted_out: its provider refuses messages to it. rule: a rule of a flow. manual: the command line. The strongest that was given.
   */
  reason: 'opt_out' | 'unsubscribe' | 'bounce' | 'complaint' | 'provider_opted_out' | 'rule' | 'manual';
  /**
   * Something else than a bounce was said of it, now or before: an opt-out, a complaint, a rule, a command. Without it, reason `bounce` is no will of anybody, and a fallback may write elsewhere. START takes it back from a bounce that stays. Absent in documents from before this field.
   */
  willed?: true;
  /**
   * The campaign it was said in.
   */
  campaignId?: Id;
  /**
   * When it was said last.
   */
  at: Date;
}
/**
 * A flow under a name and a version. Never changed in place.
 *
 */
export interface Template {
  /**
   * Name and version together.
   */
  _id: {
    /**
     * The name: `templateId` of campaigns.
     */
    id: string;
    /**
     * Its version.
     */
    version: number;
  };
  flow: Flow;
  /**
   * Defaults; the campaign's own variables win.
   */
  variables?: Record<string, unknown>;
  /**
   * Defaults; what the campaign says itself wins, field by field.
   */
  schedule?: {
    sendWindow?: SendWindowSource;
    /**
     * What becomes of a message that came due long ago, in an outage or a pause.
     */
    late?: {
      /**
       * `skip`: that message; `expire`: the conversation ends. `send` without it.
       */
      policy?: 'send' | 'skip' | 'expire';
      /**
       * Only what came due longer ago is late; PT6H without it.
       */
      after?: string;
    };
  };
  [k: string]: unknown;
}
