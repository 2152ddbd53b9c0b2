import type { ChildProcess } from 'node:child_process';

export interface ReplicaSetOptions {
  /** Number of mongods; default 1. */
  nodes?: number;
  /** More arguments for every mongod. */
  args?: string[];
  /** How long the others wait for a silent primary; default 2000. */
  electionTimeoutMs?: number;
  /** WiredTiger cache of each mongod in GB; default 0.25. */
  cacheGb?: number;
  /** Size of each oplog in MB; default 256. */
  oplogMb?: number;
  /** Of the first mongod, the others follow; default free ones. Starting fails with EADDRINUSE when one is taken. */
  port?: number;
  /** Address under which a node is known to the others and to clients, such as a proxy in front of it; default its own. */
  advertise?: (host: string) => Promise<string>;
}

export interface MongodNode {
  readonly host: string;
  readonly port: number;
  /** Undefined while it is down. */
  readonly pid: number | undefined;
  readonly process: ChildProcess | undefined;
  /** Starts it again over the data it had; resolves when it answers. */
  start(): Promise<void>;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** SIGSTOP: it keeps its sockets and answers nothing. */
  freeze(): void;
  /** SIGCONT. */
  thaw(): void;
  stop(): Promise<void>;
  /** One admin command over a direct connection of its own. */
  admin(command: Record<string, unknown>): Promise<Record<string, unknown>>;
}

export interface ReplicaSet {
  /** Names every node and the set. */
  readonly uri: string;
  readonly nodes: readonly MongodNode[];
  /** Stops every node and removes the data. */
  stop(): Promise<void>;
}

/** Starts real mongods on loopback as one replica set; resolves when a primary takes writes. They never outlive this process. */
export function startReplicaSet(options?: ReplicaSetOptions): Promise<ReplicaSet>;
