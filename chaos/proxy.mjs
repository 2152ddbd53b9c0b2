// A TCP proxy in front of each mongod. Only workers feel what it does: the servers talk to each other undisturbed.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { connect, createServer } from 'node:net';

/** Members name themselves so in the handshake of every connection. */
const marker = Buffer.from('communication-base/');

/** Local TCP ports of a process (Linux). */
function portsOf(pid) {
  const inodes = new Set();
  try {
    for (const fd of readdirSync(`/proc/${pid}/fd`)) {
      try {
        const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
        if (inode) inodes.add(inode);
      } catch {
        // closed in between
      }
    }
  } catch {
    return new Set();
  }
  const ports = new Set();
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1)) {
    const fields = line.trim().split(/\s+/);
    if (inodes.has(fields[9])) ports.add(Number.parseInt(fields[1].split(':')[1], 16));
  }
  return ports;
}

/**
 * What lies between the workers and the servers. A fault is on a worker (by process id) or on all of them: `cut` silently
 * drops everything and keeps the sockets, `reset` tears them down and refuses new ones, `slow` delays each piece.
 */
export class Network {
  #faults = new Set();
  #links = new Set();

  /** A proxy for a server; resolves with the address to name in the replica set. */
  async front(host) {
    const [, port] = host.split(':');
    const server = createServer((socket) => this.#link(socket, Number(port)));
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    server.unref();
    return `127.0.0.1:${server.address().port}`;
  }

  /** @returns a function that heals and tells how many pieces and connections it met. `pid` undefined: all workers. */
  disturb(kind, pid, delayMs = 0) {
    const fault = { kind, pid, delayMs, met: 0, ports: pid === undefined ? undefined : portsOf(pid) };
    this.#faults.add(fault);
    if (kind === 'reset')
      for (const link of this.#links) {
        if (!this.#concerns(fault, link)) continue;
        fault.met += 1;
        link.end();
      }
    return () => {
      this.#faults.delete(fault);
      // what was dropped is missing from these streams for good: real networks tear them down in the end
      if (kind === 'cut') for (const link of this.#links) if (link.dropped) link.end();
      return fault.met;
    };
  }

  #concerns(fault, link) {
    if (!link.ofWorker) return false;
    if (fault.pid === undefined) return true;
    if (!fault.ports.has(link.port)) {
      if (link.asked?.has(fault)) return false;
      link.asked ??= new WeakSet();
      link.asked.add(fault);
      fault.ports = portsOf(fault.pid);
    }
    return fault.ports.has(link.port);
  }

  #link(socket, port) {
    const upstream = connect(port, '127.0.0.1');
    const link = {
      port: socket.remotePort,
      ofWorker: false,
      dropped: false,
      end() {
        socket.resetAndDestroy();
        upstream.destroy();
      },
    };
    this.#links.add(link);
    let first = true;
    const pass = (to, inspects) => {
      let queue = Promise.resolve();
      return (chunk) => {
        if (inspects && first) {
          first = false;
          link.ofWorker = chunk.includes(marker);
        }
        let delayMs = 0;
        for (const fault of this.#faults) {
          if (!this.#concerns(fault, link)) continue;
          fault.met += 1;
          if (fault.kind === 'reset') return link.end();
          if (fault.kind === 'cut') {
            link.dropped = true;
            return;
          }
          delayMs += fault.delayMs;
        }
        queue =
          delayMs === 0
            ? queue.then(() => void to.write(chunk))
            : queue.then(() => new Promise((resolve) => setTimeout(resolve, delayMs))).then(() => void to.write(chunk));
      };
    };
    socket.on('data', pass(upstream, true));
    upstream.on('data', pass(socket, false));
    const close = () => {
      this.#links.delete(link);
      socket.destroy();
      upstream.destroy();
    };
    for (const end of [socket, upstream]) {
      end.setNoDelay(true);
      end.on('error', close);
      end.on('close', close);
    }
  }
}
