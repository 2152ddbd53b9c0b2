import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { afterEach, describe, expect, it } from '@jest/globals';
import { MongoNetworkError } from 'mongodb';
import { loadConfig } from '../../../src/config.ts';
import { ServiceError } from '../../../src/domain/errors.ts';
import type { FromThread, MemberDeps, MemberStatus, RunningMember, StartMember } from '../../../src/worker/protocol.ts';
import { runThread } from '../../../src/worker/thread.ts';
import { waitFor } from '../../support/waitFor.ts';

const sound: MemberStatus = {
  memberId: 'm1',
  joined: true,
  streamOpen: true,
  leaseValid: true,
  partitions: 64,
  inDoubt: 0,
  pipelinesRunning: true,
};

/** A member that does nothing; `fail` ends it for good. */
function idleMember(stopped: string[] = []) {
  let end: () => void = () => undefined;
  let fail: (error: Error) => void = () => undefined;
  const finished = new Promise<void>((resolve, reject) => {
    end = resolve;
    fail = reject;
  });
  const member: RunningMember = {
    status: () => sound,
    finished,
    stop: async () => {
      stopped.push('stopped');
      end();
    },
  };
  return { member, fail: (error: Error) => fail(error), end: () => end() };
}

const open: MessagePort[] = [];
afterEach(() => {
  for (const port of open.splice(0)) port.close();
});

/** The thread's function over a real message channel. */
function start(startMember: StartMember) {
  const { port1, port2 } = new MessageChannel();
  open.push(port1, port2);
  const heard: FromThread[] = [];
  port1.on('message', (message: FromThread) => heard.push(message));
  const config = loadConfig({ MONGODB_URI: 'mongodb://x' });
  const code = runThread({
    data: { kind: 'communication-base/member', thread: 3, config },
    port: port2,
    startMember,
    env: {},
    retry: { baseMs: 5, capMs: 5 },
  });
  const statuses = () => heard.flatMap((message) => (message.type === 'status' ? [message.status] : []));
  const lines = () => heard.flatMap((message) => (message.type === 'log' ? [JSON.parse(message.line)] : []));
  return { port: port1, code, heard, statuses, lines, stop: () => port1.postMessage({ type: 'stop' }) };
}

class PoolCleared extends MongoNetworkError {
  override get name(): string {
    return 'PoolClearedOnNetworkError';
  }
}

describe('runThread', () => {
  it('tells its status from the start on, and once the member runs the member’s', async () => {
    let deps: MemberDeps | undefined;
    const { member } = idleMember();
    const { statuses, stop, code } = start(async (given) => {
      deps = given;
      return member;
    });
    await waitFor(() => statuses().some(({ joined }) => joined), { what: 'the status of the member' });
    expect(statuses()[0]).toMatchObject({ joined: false, detail: 'starting' });
    expect(deps).toMatchObject({ thread: 3, config: { mongodbUri: 'mongodb://x' } });
    stop();
    expect(await code).toBe(0);
  });

  it('drains the member when asked to stop', async () => {
    const stopped: string[] = [];
    const { stop, code, statuses } = start(async () => idleMember(stopped).member);
    await waitFor(() => statuses().length > 1, { what: 'the member' });
    stop();
    expect(await code).toBe(0);
    expect(stopped).toEqual(['stopped']);
  });

  it('keeps trying while MongoDB is out of reach, and says so', async () => {
    let tries = 0;
    const outages = [
      new ServiceError('database_unreachable', 'nobody at home'),
      Object.assign(new Error('no primary'), { name: 'MongoServerSelectionError' }),
      // by its class: its name is that of no other
      new PoolCleared('the pool was cleared'),
      new ServiceError('fenced', 'taken over while it joined'),
    ];
    const { statuses, lines, stop, code } = start(async () => {
      const outage = outages[tries];
      tries += 1;
      if (outage !== undefined) throw outage;
      return idleMember().member;
    });
    await waitFor(() => statuses().some(({ joined }) => joined), { what: 'the member' });
    expect(statuses().map(({ detail }) => detail)).toEqual([
      ...['starting', 'nobody at home', 'no primary', 'the pool was cleared', 'taken over while it joined'],
      undefined,
    ]);
    expect(lines()).toEqual([
      expect.objectContaining({ level: 'warn', thread: 3, attempt: 1, code: 'database_unreachable' }),
      expect.objectContaining({ level: 'warn', thread: 3, attempt: 2 }),
      expect.objectContaining({ level: 'warn', thread: 3, attempt: 3 }),
      expect.objectContaining({ level: 'warn', thread: 3, attempt: 4, code: 'fenced' }),
    ]);
    stop();
    expect(await code).toBe(0);
  });

  it('stops although it never reached MongoDB', async () => {
    const { statuses, stop, code } = start(async () => {
      throw new ServiceError('database_unreachable', 'nobody at home');
    });
    await waitFor(() => statuses().length > 2, { what: 'some tries' });
    stop();
    expect(await code).toBe(0);
  });

  it('stops while a start hangs that looks at its signal', async () => {
    const { statuses, stop, code } = start(
      ({ signal }) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('no longer wanted')))),
    );
    await waitFor(() => statuses().length > 0, { what: 'the start' });
    stop();
    expect(await code).toBe(0);
  });

  it('says when no other try could help', async () => {
    const { heard, code } = start(async () => {
      throw new ServiceError('partitions_mismatch', '64 here, 32 there');
    });
    expect(await code).toBe(1);
    await waitFor(() => heard.some(({ type }) => type === 'final'), { what: 'the last word' });
    expect(heard).toContainEqual({ type: 'final', code: 'partitions_mismatch', message: '64 here, 32 there' });
  });

  it('dies of any other error, and of a member that failed or ended by itself', async () => {
    const bug = start(async () => {
      throw new TypeError('a bug');
    });
    expect(await bug.code).toBe(1);
    const failed = idleMember();
    const failing = start(async () => failed.member);
    await waitFor(() => failing.statuses().length > 1, { what: 'the member' });
    failed.fail(new Error('gone for good'));
    expect(await failing.code).toBe(1);
    await waitFor(() => failing.lines().some(({ error }) => error?.message === 'gone for good'), { what: 'the line' });
    const quiet = idleMember();
    const ending = start(async () => quiet.member);
    await waitFor(() => ending.statuses().length > 1, { what: 'the member' });
    quiet.end();
    expect(await ending.code).toBe(1);
  });

  it('answers for metrics', async () => {
    const { port, heard, stop, code } = start(async ({ instruments }) => {
      instruments.event('fenced');
      return idleMember().member;
    });
    port.postMessage({ type: 'metrics', id: 7 });
    const answer = await waitFor(() => heard.find((message) => message.type === 'metrics'), { what: 'the answer' });
    expect(answer).toMatchObject({ id: 7 });
    expect(JSON.stringify(answer)).toContain('communication_base_events_total');
    stop();
    expect(await code).toBe(0);
  });
});
