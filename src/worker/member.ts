/** One member of the cluster put together: the only place where the pipelines are subscribed to. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { merge, type Subscription } from 'rxjs';
import { createChannels } from '../channels/index.ts';
import { backoffMs } from '../domain/backoff.ts';
import type { Channel } from '../domain/channelPorts.ts';
import { isServiceError, ServiceError } from '../domain/errors.ts';
import { connect, replicaSetId } from '../mongo/client.ts';
import { initDatabase, readCluster } from '../mongo/collections.ts';
import { checkHashKey } from '../mongo/hashKey.ts';
import type { MongoClient } from '../mongo/values.ts';
import { Generation } from './generation.ts';
import { type MemberDeps, type MemberStatus, notJoined, type RunningMember } from './protocol.ts';
import { mongoStores } from './stores.ts';

const noHashKey =
  'HASH_KEY is not set: who opted out is heeded all the same, but anyone who can read the database can try addresses against it; set it, and what is stored holds on';

/** Waits between two lives of a member that failed, ms. */
const rejoin = { baseMs: 200, capMs: 5000 };

/**
 * Starts a member and keeps it in the cluster: one that was fenced, or whose pipelines failed, gives up what it had and joins
 * again under a new id. Resolves once it joined for the first time.
 */
export async function startMember(deps: MemberDeps): Promise<RunningMember> {
  const { config, clock, logger } = deps;
  if (config.hashKey === undefined && deps.thread === 0) logger.warn(noHashKey, { code: 'hash_key_missing' });
  const client = await connect(config.mongodbUri, { appName: `communication-base/${hostname()}/${deps.thread}` });
  let channels: ReadonlyMap<string, Channel> = new Map();
  const close = async (): Promise<void> => {
    const closing = [...channels.values()].map((channel) =>
      channel.close().catch((error: unknown) => {
        logger.warn('a channel could not be closed', { channel: channel.name, error });
      }),
    );
    await Promise.all(closing);
    await client.close().catch(() => {});
  };
  try {
    channels = await createChannels(config.channels, { clock, logger });
    const member = new Member(deps, { newGeneration: () => newGeneration(deps, client, channels), close });
    await member.start();
    return member;
  } catch (error) {
    await close();
    throw error;
  }
}

async function newGeneration(
  { config, thread, ...deps }: MemberDeps,
  client: MongoClient,
  channels: ReadonlyMap<string, Channel>,
): Promise<Generation> {
  const db = client.db(config.mongodbDatabase);
  await initDatabase(db, { partitions: config.partitions });
  const { partitions } = await readCluster(db);
  await checkHashKey(db, config.hashKey);
  const memberId = randomUUID();
  const { clock, random, instruments, tracer } = deps;
  const stores = { client, db, replicaSet: await replicaSetId(db), leaseTtlMs: config.leaseTtlMs, partitions };
  return new Generation({
    ...{ openStores: mongoStores(stores), config, channels, partitions, memberId, thread },
    ...{ clock, random, instruments, tracer, logger: deps.logger.child({ member: memberId }) },
  });
}

export interface MemberParts {
  /** The next life, under an id of its own. */
  newGeneration: () => Promise<Generation>;
  /** Frees what all lives share. */
  close: () => Promise<void>;
}

/** `start` before anything else; later lives follow by themselves. */
export class Member implements RunningMember {
  readonly finished: Promise<void>;
  private readonly deps: Omit<MemberDeps, 'thread' | 'signal'>;
  private readonly parts: MemberParts;
  private generation: Generation | undefined;
  private stopping = false;
  private settleFinished: { resolve: () => void; reject: (error: unknown) => void } = { resolve() {}, reject() {} };

  constructor(deps: Omit<MemberDeps, 'thread' | 'signal'>, parts: MemberParts) {
    this.deps = deps;
    this.parts = parts;
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
    await this.parts.close();
    this.settleFinished.resolve();
  }

  /** Joins under a new id and starts the pipelines; `failed` of what it returns rejects when this life is over. */
  private async live(): Promise<{ failed: Promise<never> }> {
    const generation = await this.parts.newGeneration();
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
