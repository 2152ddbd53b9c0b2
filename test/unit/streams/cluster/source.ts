import type { ChangeBatch, ChangeSource } from '../../../../src/domain/changePorts.ts';
import { ServiceError } from '../../../../src/domain/errors.ts';
import type { StreamPosition } from '../../../../src/domain/model.ts';
import { MemoryChangeSource, type MemoryLog } from '../../../support/memory/changeSource.ts';
import type { Host } from './host.ts';

/** The change stream as a process of the model has it. */
export class HostChangeSource implements ChangeSource {
  private readonly host: Host;
  private readonly source: MemoryChangeSource;

  constructor({ log, host }: { log: MemoryLog; host: Host }) {
    this.host = host;
    this.source = new MemoryChangeSource({ log, clock: host.clock, batchSize: 5 });
  }

  async open(position: StreamPosition | undefined): Promise<void> {
    await this.host.request('open');
    await this.source.open(position);
    await this.host.answer('open');
  }

  async read(awaitMs?: number): Promise<ChangeBatch> {
    try {
      const batch = await this.source.read(awaitMs);
      await this.host.answer('read');
      return batch;
    } catch (error) {
      await this.source.close();
      await this.host.awake();
      throw error;
    }
  }

  close(): Promise<void> {
    return this.source.close();
  }

  break(isLost: boolean): void {
    this.source.fail(isLost ? new ServiceError('position_lost', 'the history is gone') : new Error('the stream broke'));
  }
}
