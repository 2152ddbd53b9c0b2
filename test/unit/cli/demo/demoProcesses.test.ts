import { describe, expect, test } from '@jest/globals';
import { Cleanup, workerEnvironment } from '../../../../src/cli/demo/demoProcesses.ts';
import { Interrupted, pause, unlessAborted } from '../../../../src/cli/interrupt.ts';

describe('cleaning up', () => {
  test('in reverse order, once, whatever fails', async () => {
    const cleanup = new Cleanup();
    const done: string[] = [];
    cleanup.defer(() => void done.push('first'));
    cleanup.defer(() => Promise.reject(new Error('stuck')));
    cleanup.defer(async () => void done.push('last'));
    expect(await cleanup.run()).toEqual([new Error('stuck')]);
    expect(done).toEqual(['last', 'first']);
    expect(await cleanup.run()).toEqual([]);
    expect(done).toHaveLength(2);
  });
});

describe('Ctrl-C', () => {
  test('ends what is waited for at once', async () => {
    const controller = new AbortController();
    const waiting = pause(3_600_000, controller.signal);
    controller.abort();
    await expect(waiting).rejects.toBeInstanceOf(Interrupted);
    await expect(unlessAborted(Promise.resolve(1), controller.signal)).rejects.toBeInstanceOf(Interrupted);
  });

  test('without it, what is waited for is what comes back', async () => {
    const { signal } = new AbortController();
    expect(await unlessAborted(Promise.resolve(1), signal)).toBe(1);
    await expect(unlessAborted(Promise.reject(new Error('no')), signal)).rejects.toThrow('no');
  });
});

test('a worker of the demo takes nothing of ours from the shell, and the rest as it is', () => {
  const env = {
    PATH: '/bin',
    MONGODB_URI_FILE: '/x',
    CHANNEL_FAX_DRIVER: 'http',
    BATCH_SIZE: '1',
    OTEL_SERVICE_NAME: 'x',
    HOME: undefined,
  };
  expect(workerEnvironment(env, { MONGODB_URI: 'mongodb://demo' })).toEqual({
    PATH: '/bin',
    OTEL_SERVICE_NAME: 'x',
    MONGODB_URI: 'mongodb://demo',
  });
});
