/**
 * The Cloud API of the WhatsApp Business Platform for tests: real HTTP that validates, knows whose window is open and which
 * templates are approved, limits, and answers errors as Meta documents them. Where nothing is scripted, it takes a message.
 */
import { type Answer, type Delivery, type Sink, type SinkOptions, startSink } from './sink.ts';

type Plain = Record<string, unknown>;

export interface CloudApiOptions extends Pick<SinkOptions, 'tls'> {
  /** ms since the epoch; default: the system's. */
  now?: () => number;
}

export interface CloudApi {
  /** With the version, as `_URL` has it. */
  readonly url: string;
  readonly phoneNumberId: string;
  readonly token: string;
  readonly sink: Sink;
  /** Messages that were taken, in order. */
  readonly accepted: readonly { wamid: string; to: string; body: Plain }[];
  /** A person wrote: for 24 hours anything may be sent to them. */
  wrote(number: string): void;
  /** A template is approved, with so many parameters of its body. */
  approve(name: string, language: string, parameters: number): void;
  /** From now on a person answers like that: no WhatsApp, no marketing, in an experiment, … */
  answersWith(number: string, code: number): void;
  /** From now on everybody is answered like that; undefined: no more. */
  failWith(code: number | undefined): void;
  /** `CONNECTED`, `DISCONNECTED`, `BANNED`, … */
  becomes(status: string): void;
  /** Messages a second that are taken; default: any number. */
  limit(perSecond: number): void;
  close(): Promise<void>;
}

/** HTTP status, title and details of the errors as Meta lists them. */
const errors: Readonly<Record<number, readonly [status: number, title: string, details: string]>> = {
  0: [401, 'AuthException', 'We were unable to authenticate the app user.'],
  4: [400, 'API Too Many Calls', 'The app has reached its API call rate limit.'],
  100: [400, 'Invalid parameter', 'The request included one or more unsupported or misspelled parameters.'],
  190: [401, 'Access token has expired', 'Your access token has expired.'],
  368: [403, 'Temporarily blocked for policies violations', 'The account has been restricted or disabled.'],
  80007: [400, 'Rate limit issues', 'The WhatsApp Business Account has reached its rate limit.'],
  130429: [400, 'Rate limit hit', 'Cloud API message throughput has been reached.'],
  131000: [500, 'Something went wrong', 'Message failed to send due to an unknown error.'],
  131008: [400, 'Required parameter is missing', 'The request is missing a required parameter.'],
  131009: [400, 'Parameter value is not valid', 'One or more parameter values are invalid.'],
  131016: [503, 'Service unavailable', 'A service is temporarily unavailable.'],
  131026: [400, 'Message Undeliverable', 'Unable to deliver message.'],
  131030: [400, 'Recipient phone number not in allowed list', 'Add the recipient to the list and try again.'],
  131031: [403, 'Account has been locked', 'The account has been restricted or disabled.'],
  131047: [400, 'Re-engagement message', 'More than 24 hours have passed since the recipient last replied.'],
  131048: [400, 'Spam rate limit hit', 'There are restrictions on how many messages can be sent from this number.'],
  131049: [
    400,
    'Meta chose not to deliver',
    'This message was not delivered to maintain healthy ecosystem engagement.',
  ],
  131050: [400, 'User has stopped marketing messages', 'The recipient chose to stop receiving marketing messages.'],
  131051: [400, 'Unsupported message type', 'Unsupported message type.'],
  131056: [400, 'Pair rate limit hit', 'Too many messages from the sender to the same recipient in a short time.'],
  132000: [400, 'Template Param Count Mismatch', 'The number of parameters does not match the template.'],
  132001: [404, 'Template does not exist', 'The template does not exist in the language or is not approved.'],
  132015: [400, 'Template is Paused', 'Template is paused due to low quality.'],
  133010: [400, 'Phone number Not Registered', 'Phone number not registered on the Whatsapp Business Platform.'],
};

const dayMs = 86_400_000;
const digits = (number: string): string => number.replace(/\D/g, '');

/** An error of the Graph API; of a code it does not list a status 400. */
export function graphError(code: number, more: Plain = {}): Answer {
  const [status, title, details] = errors[code] ?? [400, 'Error', 'Something else.'];
  const error = {
    message: `(#${code}) ${title}`,
    type: 'OAuthException',
    code,
    error_data: { messaging_product: 'whatsapp', details },
    fbtrace_id: 'Az8or2yhqkZfEZ-_4Qn_Bam',
    ...more,
  };
  return { status, body: JSON.stringify({ error }) };
}

class State {
  readonly accepted: { wamid: string; to: string; body: Plain }[] = [];
  readonly windows = new Map<string, number>();
  readonly templates = new Map<string, number>();
  readonly people = new Map<string, number>();
  readonly #now: () => number;
  failure: number | undefined;
  status = 'CONNECTED';
  perSecond = Number.POSITIVE_INFINITY;
  #times: number[] = [];

  constructor(now: () => number) {
    this.#now = now;
  }

  wrote(number: string): void {
    this.windows.set(digits(number), this.#now() + dayMs);
  }

  /** The fields of the number that were asked for. */
  number(path: string): Answer {
    if (this.failure !== undefined) return graphError(this.failure);
    const known: Plain = { display_phone_number: '+1 555-078-3881', quality_rating: 'GREEN', status: this.status };
    const asked = new URLSearchParams(path.slice(path.indexOf('?'))).get('fields')?.split(',') ?? [];
    const fields = Object.fromEntries(asked.flatMap((name) => (name in known ? [[name, known[name]]] : [])));
    return { status: 200, body: JSON.stringify({ ...fields, id: phoneNumberId }) };
  }

  /** The code of what is wrong; undefined: it is taken. */
  judge(body: Plain): number | undefined {
    if (this.failure !== undefined) return this.failure;
    const { to, type, messaging_product: product, biz_opaque_callback_data: data } = body;
    if (product !== 'whatsapp' || typeof to !== 'string') return product === undefined ? 131008 : 100;
    if (!/^\+?\d{5,15}$/.test(to.replace(/[\s().-]/g, ''))) return 131009;
    if (data !== undefined && (typeof data !== 'string' || data.length > 512)) return 100;
    const wrong = type === 'template' ? this.#template(body['template']) : this.#free(String(type), body, digits(to));
    return wrong ?? this.people.get(digits(to)) ?? this.#limited();
  }

  #template(template: unknown): number | undefined {
    const { name, language, components } = (template ?? {}) as Plain;
    const code = (language as Plain | undefined)?.['code'];
    if (typeof name !== 'string' || typeof code !== 'string') return 131008;
    const parameters = this.templates.get(`${name}/${code}`);
    if (parameters === undefined) return 132001;
    const parts = (components ?? []) as { type?: string; parameters?: unknown[] }[];
    const given = parts.find(({ type }) => type === 'body')?.parameters?.length ?? 0;
    return given === parameters ? undefined : 132000;
  }

  #free(type: string, body: Plain, to: string): number | undefined {
    if (!['text', 'image', 'document', 'interactive'].includes(type)) return 131051;
    const object = body[type] as Plain | undefined;
    if (object === undefined) return 131008;
    if (type === 'text' && (typeof object['body'] !== 'string' || object['body'].length > 4096)) return 131009;
    return (this.windows.get(to) ?? 0) > this.#now() ? undefined : 131047;
  }

  #limited(): number | undefined {
    const now = this.#now();
    this.#times = this.#times.filter((at) => at > now - 1000);
    if (this.#times.length >= this.perSecond) return 130429;
    this.#times.push(now);
    return undefined;
  }

  take(body: Plain): Answer {
    const to = String(body['to']);
    const wamid = `wamid.HBg${Buffer.from(`${to}/${this.accepted.length + 1}`).toString('base64')}`;
    this.accepted.push({ wamid, to, body });
    const answer = {
      messaging_product: 'whatsapp',
      contacts: [{ input: to, wa_id: digits(to) }],
      messages: [{ id: wamid }],
    };
    return { body: JSON.stringify(answer) };
  }
}

export const version = 'v24.0';
export const phoneNumberId = '106540352242922';
export const token = 'EAAJB-access-token';

export async function startCloudApi(options: CloudApiOptions = {}): Promise<CloudApi> {
  const state = new State(options.now ?? Date.now);
  const answer = ({ method, path, headers, json }: Delivery): Answer => {
    if (headers.authorization !== `Bearer ${token}`) return graphError(190);
    if (method === 'GET' && path.startsWith(`/${version}/${phoneNumberId}?fields=`)) return state.number(path);
    if (path !== `/${version}/${phoneNumberId}/messages`) return graphError(100, { error_subcode: 33 });
    if (
      method !== 'POST' ||
      headers['content-type'] !== 'application/json' ||
      typeof json !== 'object' ||
      json === null
    ) {
      return graphError(100);
    }
    const code = state.judge(json as Plain);
    return code === undefined ? state.take(json as Plain) : graphError(code);
  };
  const sink = await startSink({ ...options, answer });
  return {
    ...{ url: `${sink.url}/${version}`, phoneNumberId, token, sink, accepted: state.accepted },
    wrote: (number) => state.wrote(number),
    approve: (name, language, parameters) => void state.templates.set(`${name}/${language}`, parameters),
    answersWith: (number, code) => void state.people.set(digits(number), code),
    failWith: (code) => {
      state.failure = code;
    },
    becomes: (status) => {
      state.status = status;
    },
    limit: (perSecond) => {
      state.perSecond = perSecond;
    },
    close: () => sink.close(),
  };
}
