/** `demo`: a replica set, two workers, a provider and a campaign, on this machine, in half a minute. */
import { loadConfig } from '../../config.ts';
import { maskUri } from '../../configValues.ts';
import type { Context, ExitCode } from '../context.ts';
import { located } from '../database.ts';
import { Interrupted, pause, unlessAborted } from '../interrupt.ts';
import type { Output } from '../output.ts';
import { endings, look, messageRows, type Snapshot, tally } from './demoFigures.ts';
import { Cleanup } from './demoProcesses.ts';
import { campaign, campaignId } from './demoScenario.ts';
import { refuseEnded, type Stage, setStage } from './demoStage.ts';
import { showNext, showSummary, summaryRecord } from './demoSummary.ts';
import { type Facts, judge } from './demoVerdict.ts';
import { intro, renderPanel, renderProgress } from './demoView.ts';

export interface DemoParams {
  contacts: number;
  /** Everything stays until the signal is aborted. */
  keep?: boolean;
}

/** The script takes some 20 s; more contacts take longer. */
const withinMs = (contacts: number): number => 70_000 + contacts * 5;
const lookEveryMs = 400;
const lineEveryMs = 2000;

/** 0 when the campaign completed and every figure adds up. Leaves nothing behind, also after Ctrl-C. */
export async function demo(params: DemoParams, context: Context): Promise<ExitCode> {
  const { out, env } = context;
  const cleanup = new Cleanup();
  let uri = '';
  try {
    uri = loadConfig({ ...env }, { requireUri: false }).mongodbUri;
    const database = uri === '' ? 'a MongoDB replica set of its own' : `a database of its own at ${maskUri(uri)}`;
    for (const line of [...intro(params.contacts, database, out.color), '']) out.line(line);
    const stage = await setStage(params.contacts, uri, context, cleanup);
    return await perform(stage, params, context);
  } catch (error) {
    if (!(error instanceof Interrupted)) throw located(error, uri);
    out.endPanel();
    out.line('\ninterrupted: stopping what was started');
    return 1;
  } finally {
    out.endPanel();
    const failures = await cleanup.run();
    for (const failure of failures) out.line(out.color.yellow(`could not clean up: ${String(failure)}`));
  }
}

async function perform(stage: Stage, params: DemoParams, { out, signal }: Context): Promise<ExitCode> {
  const startedAt = performance.now();
  await stage.stored.campaigns.insertOne({ ...campaign });
  const last = await follow(stage, params.contacts, startedAt, out, signal);
  const elapsedMs = performance.now() - startedAt;
  out.endPanel();
  const facts = await unlessAborted(reckon(stage, params.contacts, last), signal);
  const checks = judge(facts);
  out.record(summaryRecord(facts, checks, elapsedMs));
  showSummary(facts, checks, elapsedMs, out);
  showNext(
    {
      ...(stage.own ? { uri: stage.uri } : {}),
      database: stage.db.databaseName,
      kept: params.keep === true,
    },
    out,
  );
  if (params.keep) {
    out.line(out.color.bold('Everything stays up until you press Ctrl-C; then it is removed.'));
    await untilAborted(signal);
  }
  return checks.every((check) => check.ok) ? 0 : 1;
}

const ended = (status: string): boolean => ['completed', 'failed', 'cancelled', 'missing'].includes(status);

/** Shows how it goes until the campaign has ended and every reply was pushed, or the time is up. */
async function follow(
  stage: Stage,
  contacts: number,
  startedAt: number,
  out: Output,
  signal: AbortSignal,
): Promise<Snapshot> {
  const show = display(out);
  let last: Snapshot | undefined;
  for (;;) {
    await refuseEnded(stage.workers);
    const before = performance.now();
    const snapshot = await unlessAborted(look(stage.stored, { ...stage, contacts, startedAt }, last), signal);
    const over = ended(snapshot.status) && stage.replies.waiting === 0;
    const late = snapshot.elapsedMs > withinMs(contacts);
    show(snapshot, over || late);
    if (over || late) return snapshot;
    last = snapshot;
    // Looking must not become the load: with many contacts the looks grow rarer.
    await pause(Math.max(lookEveryMs, 5 * (performance.now() - before)), signal);
  }
}

/** A panel on a terminal, a line now and then in a pipe, JSON lines with --json. */
function display(out: Output): (snapshot: Snapshot, final: boolean) => void {
  const rates: number[] = [];
  let lineAt = Number.NEGATIVE_INFINITY;
  return (snapshot, final) => {
    rates.push(snapshot.rate);
    out.panel(renderPanel(snapshot, rates, out.width, out.color));
    if (out.tty || (!final && snapshot.elapsedMs - lineAt < lineEveryMs)) return;
    lineAt = snapshot.elapsedMs;
    out.line(renderProgress(snapshot));
    out.record({ type: 'progress', ...snapshot });
    if (final) out.line();
  };
}

async function reckon(stage: Stage, contacts: number, last: Snapshot): Promise<Facts> {
  const { stored, provider, replies } = stage;
  const document = await stored.campaigns.findOne({ _id: campaignId }, { projection: { metrics: 1, status: 1 } });
  return {
    contacts,
    status: last.errorText === undefined ? last.status : `${last.status} (${last.errorText})`,
    metrics: document?.metrics,
    endings: await endings(stored),
    tally: await tally(messageRows(stored), provider.deliveries),
    accepted: provider.totals.accepted,
    replies: replies.pushed.size,
    repliesFailure: replies.failure?.message,
  };
}

/** Keeps the process alive: a pending promise alone does not. */
async function untilAborted(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) await pause(60_000, signal).catch(() => undefined);
}
