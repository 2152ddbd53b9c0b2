import { appendFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { BoundedChannel } from '../../../src/channels/bounded.ts';
import { FileDriver } from '../../../src/channels/file.ts';
import { createChannel } from '../../../src/channels/index.ts';
import type { ChannelConfig } from '../../../src/config.ts';
import type { Channel } from '../../../src/domain/channelPorts.ts';
import { manualClock } from '../../support/clock.ts';
import { recordingLogger } from '../../support/fakes.ts';
import { waitFor } from '../../support/waitFor.ts';
import { config, describeChannel, message, never, type Rig } from './conformance.ts';

function openChannel(url: string, given: Partial<ChannelConfig> = {}): Channel {
  const clock = manualClock();
  return new BoundedChannel(config({ driver: 'file', url, ...given }), new FileDriver(url, clock), clock);
}

const lines = async (path: string): Promise<string[]> => {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  expect(text === '' || text.endsWith('\n')).toBe(true);
  return text.split('\n').slice(0, -1);
};

async function make(given: Partial<ChannelConfig> = {}): Promise<Rig & { path: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'channel-file-'));
  const path = join(directory, 'out.jsonl');
  const channel = openChannel(path, given);
  return {
    path,
    channel,
    arrived: () => lines(path),
    breakMedium: () => rm(directory, { recursive: true }),
    dispose: async () => {
      await channel.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

describeChannel('file', make);

describe('file', () => {
  it('appends JSON lines with the time and the body of the contract', async () => {
    const rig = await make();
    const objectId = { _bsontype: 'ObjectId', toHexString: () => '65a000000000000000000001' };
    await rig.channel.send(message(1, { campaignId: objectId, content: { text: 'two\nlines' } }), never());
    const [line] = await rig.arrived();
    expect(line).toBe(
      '{"at":"2026-01-05T09:00:00.000Z","messageId":"spring:1/1","campaignId":"65a000000000000000000001",' +
        '"conversationId":"spring:1","channel":"email","to":"contact1@example.com","content":{"text":"two\\nlines"},' +
        '"stage":"intro","step":0}',
    );
    await rig.dispose();
  });

  it('takes a file: URL', async () => {
    const rig = await make();
    const channel = openChannel(pathToFileURL(rig.path).href);
    await channel.send(message(1), never());
    await channel.close();
    expect(await rig.arrived()).toHaveLength(1);
    await rig.dispose();
  });

  it('waits for the line that somebody else is about to finish, and leaves no empty one behind', async () => {
    const rig = await make();
    await appendFile(rig.path, '{"half":');
    const sending = rig.channel.send(message(1), never());
    // by then it has looked
    await waitFor(async () => (await readFile(rig.path, 'utf8')).length > 0, { what: 'the half line' });
    await appendFile(rig.path, 'true}\n');
    await sending;
    expect((await rig.arrived()).map((line) => Object.keys(JSON.parse(line) as object)[0])).toEqual(['half', 'at']);
    await rig.dispose();
  });

  it('keeps the lines of several writers whole', async () => {
    const rig = await make();
    const writers = [rig.channel, openChannel(rig.path), openChannel(rig.path)];
    const text = 'x'.repeat(20_000);
    await Promise.all(
      writers.flatMap((channel, writer) =>
        Array.from({ length: 100 }, (_, n) => channel.send(message(writer * 100 + n, { content: { text } }), never())),
      ),
    );
    const ids = (await rig.arrived()).map((line) => (JSON.parse(line) as { messageId: string }).messageId);
    expect(new Set(ids).size).toBe(300);
    expect(ids).toHaveLength(300);
    for (const channel of writers) await channel.close();
    await rig.dispose();
  });

  it('begins a new line after one that a crash left torn', async () => {
    const rig = await make();
    await appendFile(rig.path, '{"at":"2026-01-05T0');
    await rig.channel.send(message(1), never());
    expect(await rig.arrived()).toEqual(['{"at":"2026-01-05T0', expect.stringContaining('"spring:1/1"')]);
    await rig.dispose();
  });

  it('asks for a retry while the disk is full, and leaves no doubt behind', async () => {
    const channel = openChannel('/dev/full', { delivery: 'at-most-once' });
    expect(await channel.send(message(1), never())).toMatchObject({
      kind: 'retry',
      code: 'write_failed',
      message: expect.stringContaining('ENOSPC'),
      counts: true,
    });
    await channel.close();
  });

  it('writes to what cannot be synced', async () => {
    const channel = openChannel('/dev/null');
    expect(await channel.send(message(1), never())).toEqual({ kind: 'sent' });
    await channel.close();
  });

  it('writes again once the place is there again', async () => {
    const rig = await make();
    const missing = `${rig.path}.d/out.jsonl`;
    const channel = openChannel(missing);
    expect(await channel.send(message(1), never())).toMatchObject({ kind: 'retry', code: 'write_failed' });
    await mkdir(`${rig.path}.d`);
    expect(await channel.send(message(1), never())).toEqual({ kind: 'sent' });
    expect(await lines(missing)).toHaveLength(1);
    await channel.close();
    await rig.dispose();
  });

  it('drops what was aborted before it was written', async () => {
    const rig = await make();
    const controller = new AbortController();
    const results = Promise.all([
      rig.channel.send(message(1), controller.signal),
      rig.channel.send(message(2), never()),
    ]);
    controller.abort();
    expect(await results).toEqual([expect.objectContaining({ kind: 'retry', counts: false }), { kind: 'sent' }]);
    expect(await rig.arrived()).toEqual([expect.stringContaining('"spring:2/1"')]);
    await rig.dispose();
  });

  it('refuses to be made without a place', async () => {
    const { url: _, ...without } = config({ driver: 'file', url: 'x' });
    const made = createChannel(without, { clock: manualClock(), logger: recordingLogger() });
    await expect(made).rejects.toThrow('driver file needs the path of a file');
  });
});
