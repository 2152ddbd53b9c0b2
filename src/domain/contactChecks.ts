/** What the contacts of an audience lack of what a flow says to them: each message is tried on each contact. */
import { variantFor } from './content.ts';
import type { FlowContext } from './decision.ts';
import type { Fault } from './errors.ts';
import { type FlowMessage, letterAt, scopeFor } from './flowMessages.ts';
import { hasValue, isContactField } from './knownNames.ts';
import { writtenAs } from './liquidUses.ts';
import { renderMessage } from './mail.ts';
import type { Contact } from './model.ts';
import { printable } from './printable.ts';
import { StandIns } from './standIns.ts';

/** More kinds of failure than anyone reads: an error may name what is different for each contact. */
const mostKinds = 100;

interface Lack {
  code: string;
  /** Of the first place that asks for it. */
  path: string;
  /** Other places. */
  others: Set<string>;
  contacts: number;
  /** Who was the last to be counted: a contact counts once. */
  last: number;
  first: string;
  words(counted: string): string;
}

export class ContactChecks {
  /** Contacts that were looked at. */
  seen = 0;
  private readonly context: FlowContext;
  private readonly messages: readonly FlowMessage[];
  private readonly lacks = new Map<string, Lack>();

  private readonly mapped: readonly string[];
  private readonly standIns: StandIns;

  /** `mapped`: see `NameContext`. */
  constructor(context: FlowContext, messages: readonly FlowMessage[], mapped: readonly string[] = []) {
    this.context = context;
    this.messages = messages;
    this.mapped = mapped;
    this.standIns = new StandIns(context.flow, messages);
  }

  /** `where`: how its author finds it, such as `line 18`. */
  look(contact: Contact, where: string): void {
    this.seen += 1;
    const first = `id ${idOf(contact)} at ${where}`;
    for (const message of this.messages) this.tryOn(contact, message, first);
  }

  /** `3 of 10,000 contacts lack contact.attributes.city`: most contacts first. */
  warnings(): Fault[] {
    return [...this.lacks.values()]
      .toSorted((a, b) => b.contacts - a.contacts)
      .map(({ code, path, others, contacts, first, words }) => {
        const counted = `${contacts.toLocaleString('en-US')} of ${this.seen.toLocaleString('en-US')} contacts`;
        const more =
          others.size === 0 ? '' : `; ${others.size} more ${others.size === 1 ? 'place' : 'places'} of the flow`;
        return { code, path, message: `${words(counted)}, first: ${first}${more}` };
      });
  }

  private tryOn(contact: Contact, message: FlowMessage, first: string): void {
    const { context } = this;
    const letter = letterAt(context.flow.stages.get(message.stage), message.step, message.fallback);
    const channel = letter && context.channels.get(letter.channel);
    const scope = this.standIns.over(scopeFor(context, contact, message), message);
    const to = channel && letter?.to(channel.address, scope);
    if (channel !== undefined && to === undefined) {
      const { name, address } = channel;
      const instead = message.fallsBack ? 'they go by its fallback' : 'its messages are skipped';
      const words = `lack ${address}, the address of channel ${JSON.stringify(name)}: ${instead}`;
      this.note(
        `address ${name} ${instead}`,
        'address_missing',
        `${message.path}.channel`,
        first,
        (counted) => `${counted} ${words}`,
      );
      return;
    }
    if (this.noteMissing(message, scope, first) || letter === undefined || channel === undefined) return;
    const { id } = scope.conversation;
    const made =
      to?.kind === 'failed' ? to : renderMessage(letter.content, channel, context, { scope, conversationId: id });
    if (made.kind !== 'failed' || this.lacks.size >= mostKinds || this.maySay(made.reason, message)) return;
    const { reason, message: why } = made;
    const words = (counted: string): string => `the message fails for ${counted}: ${why}`;
    this.note(`${message.path} ${why}`, reason, message.path, first, words);
  }

  /** What an answer that a stage keeps will have is not known: lists in it are not missing. */
  private maySay(reason: string, message: FlowMessage): boolean {
    if (reason !== 'template_variable_missing') return false;
    return this.standIns.namedIn(message).some((name) => name.startsWith('variables.'));
  }

  /** Whether anything that it prints without a default is missing. */
  private noteMissing({ templates }: FlowMessage, scope: { contact: Contact }, first: string): boolean {
    let isMissing = false;
    for (const { path, required } of variantFor(templates, scope.contact.locale))
      for (const use of required) {
        if (hasValue(scope, use.path)) continue;
        isMissing = true;
        // what no contact can have is said of the flow
        if (use.path[0] !== 'contact' || !isContactField(String(use.path[1]), this.mapped)) continue;
        const name = writtenAs(use.path);
        this.note(
          name,
          'template_variable_missing',
          path,
          first,
          (counted) => `${counted} lack ${name}, and there is no default: their message fails`,
        );
      }
    return isMissing;
  }

  private note(key: string, code: string, path: string, first: string, words: Lack['words']): void {
    const known = this.lacks.get(key);
    if (known === undefined) {
      this.lacks.set(key, { code, path, others: new Set(), contacts: 1, last: this.seen, first, words });
      return;
    }
    if (path !== known.path) known.others.add(path);
    if (known.last !== this.seen) known.contacts += 1;
    known.last = this.seen;
  }
}

const idOf = ({ id }: Contact): string => printable(typeof id === 'object' ? id.toHexString() : id).replaceAll('"', '');
