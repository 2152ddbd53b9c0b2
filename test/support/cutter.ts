/** A TCP proxy that lets so many bytes through and then cuts both sides, or goes silent. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Fault {
  /** Whose bytes are counted. */
  from: 'client' | 'server';
  /** The byte with this number, over all connections, does not get through. */
  at: number;
  how: 'cut' | 'silence';
}

export interface Cutter {
  readonly port: number;
  /** All that the clients sent so far, and all that the server did. */
  sent(from: Fault['from']): string;
  /** Counts from here; undefined: everything passes. Each fault happens once. */
  arm(fault: Fault | undefined): void;
  /** Cuts every connection there is at this moment. */
  cut(): void;
  close(): Promise<void>;
}

export async function startCutter(target: number): Promise<Cutter> {
  let fault: Fault | undefined;
  let silent = false;
  let left = Number.POSITIVE_INFINITY;
  const seen = { client: '', server: '' };
  const sockets = new Set<Socket>();
  const relay = (from: Fault['from'], source: Socket, sink: Socket): void => {
    source.on('data', (chunk) => {
      seen[from] += chunk.toString('latin1');
      if (silent) return;
      const through = fault?.from === from ? chunk.subarray(0, left) : chunk;
      if (fault?.from === from) left -= chunk.length;
      if (left >= 0) {
        sink.write(through);
        return;
      }
      const { how } = fault as Fault;
      [fault, left, silent] = [undefined, Number.POSITIVE_INFINITY, how === 'silence'];
      if (how === 'silence') sink.write(through);
      else {
        // Whole bytes first: what was let through has arrived.
        sink.end(through);
        source.destroy();
      }
    });
    source.on('error', () => undefined);
    source.on('close', () => {
      sockets.delete(source);
      sink.end();
    });
    sockets.add(source);
  };
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1');
    relay('client', client, upstream);
    relay('server', upstream, client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    sent: (from) => seen[from],
    arm(next) {
      [fault, left, silent] = [next, next?.at ?? Number.POSITIVE_INFINITY, false];
    },
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}
