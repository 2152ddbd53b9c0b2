/** What can go wrong between a worker and a provider over HTTP, and what must come of it: the table of docs/channels.md. */
import type { ManualClock } from '../../support/clock.ts';
import type { Answer, Sink } from '../../support/sink.ts';

/** What comes of it where a message may be repeated, and where it may not. */
export type Outcomes = Readonly<Record<'at-least-once' | 'at-most-once', string>>;

export interface Fault {
  readonly what: string;
  /** Results as `told` writes them; `{refused}`, `{busy}`, … stand for codes that differ from driver to driver. */
  readonly outcome: string | Outcomes;
  /**
   * How often the provider took the message once the worker has done what the result asks for; more than once is always
   * under one key.
   */
  readonly taken: number | Readonly<Record<keyof Outcomes, number>>;
  /** Instead of the provider's usual answer to the first tries; `usual` is what it would have been. */
  readonly answer?: (usual: Answer, provider: Answers) => Answer;
  /** Before the request is read. */
  readonly script?: Answer;
  /** What happens while the answer is awaited. */
  readonly meanwhile?: (sink: Sink, clock: ManualClock) => void;
  /** Messages under way at once. Default 1. */
  readonly messages?: number;
}

/** The provider's documented answers to what it does not take. */
export interface Answers {
  /** 429. */
  busy: Answer;
  /** 500. */
  broken: Answer;
}

/** When the tests take place; `Retry-After` dates are 7 s later. */
export const start = Date.UTC(2026, 0, 5, 9);
const date = new Date(start + 7000).toUTCString();

const inDoubt = (code: string): Outcomes => ({
  'at-least-once': `retry ${code}`,
  'at-most-once': `unknown ${code}`,
});
const twice = { 'at-least-once': 2, 'at-most-once': 1 };
const maybe = { 'at-least-once': 1, 'at-most-once': 0 };

/** Bytes of an answer that says it took the message, its body as given. */
const bytes = ({ status = 200 }: Answer, length: number, body: string): Answer => ({
  status,
  bytes: `HTTP/1.1 ${status} OK\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n${body}`,
});

export const faults: readonly Fault[] = [
  {
    what: 'answers slowly, but in time',
    outcome: 'sent with its id',
    taken: 1,
    answer: (usual) => ({ ...usual, hang: true }),
    meanwhile: (sink, clock) => {
      clock.advance(9000);
      sink.release();
    },
  },
  {
    what: 'takes the message and does not answer within `_TIMEOUT_MS`',
    outcome: inDoubt('timeout'),
    taken: twice,
    answer: (usual) => ({ ...usual, hang: true }),
    meanwhile: (_sink, clock) => clock.advance(10_000),
  },
  {
    what: '429, `Retry-After: 7`',
    outcome: 'retry {busy}, no attempt, in 7 s',
    taken: 1,
    answer: (_usual, { busy }) => ({ ...busy, retryAfter: 7 }),
  },
  {
    what: '429, `Retry-After` with a date',
    outcome: 'retry {busy}, no attempt, in 7 s',
    taken: 1,
    answer: (_usual, { busy }) => ({ ...busy, retryAfter: date }),
  },
  {
    what: '429 alone',
    outcome: 'retry {busy}, no attempt',
    taken: 1,
    answer: (_usual, { busy }) => busy,
  },
  {
    what: '500 to many at once',
    outcome: 'retry {broken}',
    taken: 1,
    answer: (_usual, { broken }) => broken,
    messages: 8,
  },
  {
    what: '503, `Retry-After: 7`',
    outcome: 'retry http_503, in 7 s',
    taken: 1,
    answer: () => ({ status: 503, retryAfter: 7, body: '<h1>Service Unavailable</h1>' }),
  },
  {
    what: 'a proxy answers 502; 504 is the same',
    outcome: inDoubt('http_502'),
    taken: maybe,
    answer: () => ({ status: 502, body: '<h1>Bad Gateway</h1>' }),
  },
  {
    what: 'resets the connection before it has read the message',
    outcome: inDoubt('connection_lost'),
    taken: maybe,
    script: { reset: 'before' },
  },
  {
    what: 'takes the message and resets the connection',
    outcome: inDoubt('connection_lost'),
    taken: twice,
    answer: (usual) => ({ ...usual, reset: 'after' }),
  },
  {
    what: 'takes the message and answers what is not HTTP',
    outcome: inDoubt('connection_lost'),
    taken: twice,
    answer: ({ status = 200 }) => ({ status, bytes: '220 ready\r\n\r\n' }),
  },
  {
    what: 'resets the connection in the middle of an answer that took it',
    outcome: 'sent',
    taken: 1,
    answer: (usual) => ({ ...usual, slowBody: 'reset' }),
    meanwhile: (sink) => sink.release(),
  },
  {
    what: 'ends the connection before the body is whole',
    outcome: 'sent',
    taken: 1,
    answer: (usual) => bytes(usual, 500, '{"id":"1","si'),
  },
  {
    what: 'announces a shorter body than it sends',
    outcome: 'sent',
    taken: 1,
    answer: (usual) => bytes(usual, 5, '{"id":"1","sid":"1"}'),
  },
  {
    what: 'took it, and its JSON is broken',
    outcome: 'sent',
    taken: 1,
    answer: ({ status = 200 }) => ({ status, body: '{"id": "1", "sid": "1"' }),
  },
  {
    what: 'took it, and answers HTML',
    outcome: 'sent',
    taken: 1,
    answer: ({ status = 200 }) => ({ status, headers: { 'content-type': 'text/html' }, body: '<h1>Thank you</h1>' }),
  },
  {
    what: 'took it, and answers 5 MB',
    outcome: 'sent',
    taken: 1,
    answer: ({ status = 200 }) => ({ status, body: Buffer.alloc(5_000_000, 0x20) }),
  },
];

/** Of a provider that nobody reaches; nothing leaves, whatever the delivery. */
export const unreachable = {
  'a certificate that it signed itself': 'retry tls_failed, no attempt, in 60 s',
  'a certificate for another name': 'retry tls_failed, no attempt, in 60 s',
  'an expired certificate': 'retry tls_failed, no attempt, in 60 s',
  'no TLS where TLS is asked for': 'retry connection_failed',
  'a host name that does not resolve': 'retry connection_failed',
  'a refused connection': 'retry connection_failed',
} as const;

const cell = (value: string | number | Readonly<Record<keyof Outcomes, string | number>>): string =>
  typeof value === 'object' ? Object.values(value).join(' / ') : String(value);

/** The table as docs/channels.md has it, with the codes of driver http. */
export function outcomeTable(codes: Readonly<Record<string, string>>): string {
  const rows = [
    ...faults.map(({ what, outcome, taken }) => [what, cell(outcome), cell(taken)]),
    ...Object.entries(unreachable).map(([what, outcome]) => [what, outcome, '0']),
  ];
  const named = (text: string): string => text.replace(/\{(\w+)\}/g, (_, name: string) => codes[name] ?? name);
  return rows.map((row) => `| ${row.map(named).join(' | ')} |`).join('\n');
}
