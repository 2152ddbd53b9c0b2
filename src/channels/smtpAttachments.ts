/**
 * Attachments by reference: fetched by https, from the hosts the operator allows, and from nowhere else: no redirect is
 * followed, no file is read. What was fetched serves other messages for a minute.
 */
import { type Dispatcher, request } from 'undici';
import type { Clock } from '../domain/systemPorts.ts';
import { MailFault } from './smtpMessage.ts';
import { describeError, oneLine } from './text.ts';

export interface Attachment {
  filename: string;
  content: Buffer;
  contentType?: string;
  cid?: string;
}

/** The reference is allowed, but nothing came: it is tried again. */
export class AttachmentUnavailable extends Error {}

interface Reference {
  filename: string;
  href: string;
  contentType?: string;
  cid?: string;
}

/** Of one message, before base64 makes a third more of them: most servers take 25 MB or less. */
const maxBytes = 10 * 1_048_576;
const keptMs = 60_000;
const keptBytes = 4 * maxBytes;
const fields = new Set(['filename', 'href', 'contentType', 'cid']);
const mediaType = /^[\w.+-]+\/[\w.+-]+$/;

interface Kept {
  content: Promise<Buffer>;
  at: number;
  /** Its size; until that is known, what it may be at most. */
  bytes: number;
  /** It is there whole: whoever has less room left than it takes finds out by its size. */
  isWhole: boolean;
}

export class AttachmentSource {
  readonly #hosts: ReadonlySet<string>;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  readonly #dispatcher: Dispatcher | undefined;
  /** By address, the oldest first. */
  readonly #kept = new Map<string, Kept>();

  constructor(hosts: readonly string[], timeoutMs: number, clock: Clock, dispatcher?: Dispatcher) {
    this.#hosts = new Set(hosts);
    this.#timeoutMs = timeoutMs;
    this.#clock = clock;
    this.#dispatcher = dispatcher;
  }

  /**
   * One after the other, so that never more is held than a message may have; no further one once `isWanted` says no.
   * Throws MailFault for what is refused, AttachmentUnavailable for what did not come.
   */
  async load(given: readonly unknown[], isWanted: () => boolean): Promise<Attachment[]> {
    const references = given.map((one, index) => this.#check(one, `attachments[${index}]`));
    const loaded: Attachment[] = [];
    let left = maxBytes;
    for (const { href, ...rest } of references) {
      if (!isWanted()) break;
      const content = await this.#content(href, left);
      left -= content.length;
      if (left < 0) throw tooLarge();
      loaded.push({ ...rest, content });
    }
    return loaded;
  }

  #check(given: unknown, path: string): Reference {
    const refuse = (why: string): MailFault => new MailFault('attachment_refused', `${path}${why}`);
    if (typeof given !== 'object' || given === null) throw refuse(' is not an object with filename and href');
    const unknown = Object.keys(given).find((name) => !fields.has(name));
    if (unknown !== undefined) {
      throw refuse(`.${oneLine(unknown, 40)} is not known; allowed: ${[...fields].join(', ')}`);
    }
    const { filename, href, contentType, cid } = given as Record<string, unknown>;
    const url = typeof href === 'string' && URL.canParse(href) ? new URL(href) : undefined;
    if (url?.protocol !== 'https:' || url.username !== '' || url.password !== '') {
      throw refuse('.href has to be an https:// address without user and password');
    }
    if (!this.#hosts.has(url.host)) {
      throw refuse(`.href: host ${oneLine(url.host, 100)} is not allowed (_ATTACHMENT_HOSTS)`);
    }
    if (contentType !== undefined && !(typeof contentType === 'string' && mediaType.test(contentType))) {
      throw refuse('.contentType has to be a media type such as application/pdf');
    }
    if (cid !== undefined && !(typeof cid === 'string' && /^[\w.@+-]{1,200}$/.test(cid))) {
      throw refuse('.cid has to be a word of letters, digits and . @ + - _');
    }
    if (filename !== undefined && typeof filename !== 'string') throw refuse('.filename has to be a text');
    return {
      href: url.href,
      filename: safeName(filename ?? url.pathname.split('/').at(-1) ?? ''),
      ...(contentType === undefined ? {} : { contentType }),
      ...(cid === undefined ? {} : { cid }),
    };
  }

  #content(href: string, limit: number): Promise<Buffer> {
    const now = this.#clock.monotonic();
    this.#forget(now);
    const known = this.#kept.get(href);
    // what another message asks for with less room left may fail for that message alone
    if (known !== undefined && (known.isWhole || known.bytes >= limit)) return known.content;
    const kept: Kept = { content: this.#fetch(href, limit), at: now, bytes: limit, isWhole: false };
    this.#kept.delete(href);
    this.#kept.set(href, kept);
    kept.content.then(
      (content) => {
        kept.bytes = content.length;
        kept.isWhole = true;
      },
      () => {
        if (this.#kept.get(href) === kept) this.#kept.delete(href);
      },
    );
    return kept.content;
  }

  #forget(now: number): void {
    let bytes = [...this.#kept.values()].reduce((sum, kept) => sum + kept.bytes, 0);
    for (const [href, kept] of this.#kept) {
      if (now - kept.at < keptMs && bytes < keptBytes) break;
      this.#kept.delete(href);
      bytes -= kept.bytes;
    }
  }

  async #fetch(href: string, limit: number): Promise<Buffer> {
    try {
      const { statusCode, headers, body } = await request(href, {
        ...(this.#dispatcher === undefined ? {} : { dispatcher: this.#dispatcher }),
        signal: AbortSignal.timeout(this.#timeoutMs),
        headers: { 'user-agent': 'communication-base', accept: '*/*' },
      });
      // What is thrown away before its end tells so, to whoever listens.
      body.on('error', () => undefined);
      try {
        if (statusCode !== 200) throw new AttachmentUnavailable(`HTTP ${statusCode} for ${oneLine(href, 120)}`);
        if (Number(headers['content-length'] ?? 0) > limit) throw tooLarge();
        return await readUpTo(body, limit);
      } finally {
        body.destroy();
      }
    } catch (error) {
      if (error instanceof MailFault || error instanceof AttachmentUnavailable) throw error;
      throw new AttachmentUnavailable(`${describeError(error)} for ${oneLine(href, 120)}`);
    }
  }
}

async function readUpTo(body: AsyncIterable<Buffer>, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > limit) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const tooLarge = (): MailFault =>
  new MailFault('attachment_too_large', `the attachments are larger than ${maxBytes / 1_048_576} MiB together`);

/** No folders, no line ends, nothing that turns the writing around to hide what the file is. */
const safeName = (name: string): string =>
  name
    .replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069/\\]+/gu, ' ')
    .trim()
    .slice(0, 200) || 'attachment';
