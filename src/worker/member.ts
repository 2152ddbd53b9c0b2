/** One member of the cluster put together: the only place where the pipelines are subscribed to. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { merge, type Subscription } from 'rxjs';
import { createChannels } from '../channels/index.ts';
import { backoffMs } from '../domain/backoff.ts';
import { isServiceError, ServiceError } from '../domain/errors.ts';
import type { Channel } from '../domain/ports.ts';
import { connect, replicaSetId } from '../mongo/client.ts';
import { initDatabase, readCluster } from '../mongo/collections.ts';
import type { MongoClient } from '../mongo/values.ts';
import { Generation } from './generation.ts';
import { type MemberDeps, type MemberStatus, notJoined, type RunningMember } from './protocol.ts';

/** Waits between two lives of a member that failed, ms. */
const rejoin = { baseMs: 200, capMs: 5000 };

/**
 * Starts a member and keeps it in the cluster: one that was fenced, or whose pipelines failed, gives up what it had and joins
 * again under a new id. Resolves once it joined for the first time.
 */
export async function startMember(deps: MemberDeps): Promise<RunningMember> {
  const { config } = deps;
  const client = await connect(config.mongodbUri, { appName: `communication-base/${hostname()}/${deps.thread}` });
  try {
    const member = new Member(deps, client);
    await member.start();
    return member;
  } catch (error) {
    await client.close().catch(() => {});
    throw error;
  }
}

class Member implements RunningMember {
  readonly finished: Promise<void>;
  private readonly deps: MemberDeps;
  private readonly client: MongoClient;
  private readonly channels: ReadonlyMap<string, Channel>;
  private generation: Generation | undefined;
  private stopping = false;
  private settleFinished: { resolve: () => void; reject: (error: unknown) => void } = { resolve() {}, reject() {} };

  constructor(deps: MemberDeps, client: MongoClient) {
    this.deps = deps;
    this.client = client;
    this.channels = createChannels(deps.config.channels, { clock: deps.clock, logger: deps.logger });
    this.finished = new Promise((resolve, reject) => {
      this.settleFinished = { resolve, reject };
    });
  }

  status(): MemberStatus {
    return this.generation?.status() ?? notJoined('joining');
  }

  /** The first life; later ones follow by themselves. */
  async start(): Promise<void> {
    const first = await this.live();
    void this.keepAlive(first);
  }

  async stop(): Promise<void> {
    if (this.stopping) return this.finished;
    this.stopping = true;
    const { config, logger } = this.deps;
    try {
      await this.generation?.stop(config.shutdownGraceMs);
    } catch (error) {
      logger.warn('the member could not hand over; its partitions are taken over when its lease has ended', { error });
    }
    await Promise.all([...this.channels.values()].map((channel) => channel.close()));
    await this.client.close().catch(() => {});
    this.settleFinished.resolve();
  }

  /** Joins under a new id and starts the pipelines; `failed` of what it returns rejects when this life is over. */
  private async live(): Promise<{ failed: Promise<never> }> {
    const { config, clock, random, instruments, thread } = this.deps;
    const db = this.client.db(config.mongodbDatabase);
    await initDatabase(db, { partitions: config.partitions });
    const { partitions } = await readCluster(db);
    const memberId = randomUUID();
    const logger = this.deps.logger.child({ member: memberId });
    const generation = new Generation({
      ...{ client: this.client, db, config, channels: this.channels, partitions, memberId, thread },
      ...{ replicaSet: await replicaSetId(db), clock, random, logger, instruments },
    });
    let subscription: Subscription | undefined;
    const failed = new Promise<never>((_, reject) => {
      generation.onFailure(reject);
      subscription = merge(...generation.pipelines$).subscribe({
        error: reject,
        complete: () => reject(new ServiceError('internal', 'a pipeline ended by itself')),
      });
    });
    failed.catch(() => {});
    generation.onEnd(() => subscription?.unsubscribe());
    this.generation = generation;
    try {
      await generation.join();
      if (this.stopping) throw new ServiceError('internal', 'the member is being stopped');
    } catch (error) {
      await generation.abandon(isServiceError(error, 'fenced'));
      this.generation = undefined;
      throw error;
    }
    return { failed };
  }

  private async keepAlive(life: { failed: Promise<never> }): Promise<void> {
    const { logger, instruments, clock, random, config } = this.deps;
    let joinedAt = clock.monotonic();
    for (let current: { failed: Promise<never> } | undefined = life, attempt = 1; !this.stopping; attempt++) {
      try {
        if (current) await current.failed;
      } catch (error) {
        if (this.stopping) return;
        const fenced = isServiceError(error, 'fenced');
        // a life that lasted was no part of a series of failures
        if (clock.monotonic() - joinedAt > config.leaseTtlMs) attempt = 1;
        if (fenced) instruments.event('fenced');
        logger[fenced ? 'warn' : 'error'](
          fenced ? 'the member was fenced; it rejoins' : 'the member failed; it rejoins',
          {
            error,
          },
        );
        await this.generation?.abandon(fenced);
        this.generation = undefined;
        current = undefined;
      }
      await new Promise<void>((resolve) => {
        clock.after(backoffMs(attempt, random, rejoin), resolve);
      });
      if (this.stopping) return;
      try {
        current = await this.live();
        joinedAt = clock.monotonic();
      } catch (error) {
        logger.warn('the member could not rejoin; it is tried again', { attempt, error });
      }
    }
  }
}
