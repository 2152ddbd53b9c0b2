/** What stands in, when a flow is tried out, for what is only known as it runs: events, answers that stages keep, draws. */
import type { CompiledFlow } from './flow.ts';
import { everyTemplate, type FlowMessage } from './flowMessages.ts';
import { heardStages } from './flowReach.ts';
import type { Path } from './knownNames.ts';
import { writtenAs } from './liquidUses.ts';
import { withValue } from './withValue.ts';

/** What stands where a value is not there. */
export const mark = (name: string): string => `⟦${name}⟧`;

export const withoutMarks = (text: string): string => text.replace(/⟦[^⟧]*⟧/g, '');

/** What a reply says that nobody wrote. */
export const simulatedText = '(reply)';

interface Given {
  variables?: Record<string, unknown>;
  conversation?: Record<string, unknown>;
  event?: Record<string, unknown>;
}

export class StandIns {
  /** By the id of the stage that keeps them. Each has what the templates of the flow read of it. */
  readonly answers: Readonly<Record<string, Record<string, unknown>>>;
  private readonly heard: ReadonlySet<string>;
  private readonly given: Given;
  private readonly flow: CompiledFlow;

  constructor(flow: CompiledFlow, messages: readonly FlowMessage[]) {
    this.flow = flow;
    this.heard = heardStages(flow);
    const paths = messages.flatMap(pathsIn).filter((path) => path.length > 1 && this.isUnknown(path));
    const event = { id: mark('event.id'), type: 'reply', text: simulatedText, at: mark('event.at'), data: {} };
    this.given = paths
      .filter((path) => path[0] !== 'event' || path[1] === 'data')
      .toSorted((a, b) => a.length - b.length)
      .reduce<Given>((given, path) => withValue(given, path, mark(writtenAs(path))), { event });
    this.answers = (this.given.variables ?? {}) as Record<string, Record<string, unknown>>;
  }

  /** A scope with them, for a message of that stage. What is known stays. */
  over<S extends { variables: Record<string, unknown>; conversation?: Record<string, unknown> }>(
    scope: S,
    { stage, channel }: Pick<FlowMessage, 'stage' | 'channel'>,
  ): S & { event?: Record<string, unknown> } {
    const { variables, conversation, event } = this.given;
    return {
      ...scope,
      variables: { ...scope.variables, ...variables },
      conversation: { ...conversation, ...scope.conversation },
      ...(this.heard.has(stage) ? { event: { ...event, channel } } : {}),
    };
  }

  /** What a message reads of it, as templates write it. */
  namedIn(message: FlowMessage): string[] {
    const names = pathsIn(message).filter((path) => this.isUnknown(path) && !this.isUnheard(path, message));
    return [...new Set(names.map(writtenAs))];
  }

  private isUnheard([root]: Path, { stage }: FlowMessage): boolean {
    return root === 'event' && !this.heard.has(stage);
  }

  private isUnknown([root, name]: Path): boolean {
    if (root === 'event') return true;
    if (root === 'conversation') return name === 'variant' || name === 'repliedAt';
    const stage = root === 'variables' ? this.flow.stages.get(String(name)) : undefined;
    return stage?.type === 'webhook' && stage.keep;
  }
}

const pathsIn = (message: FlowMessage): Path[] =>
  everyTemplate(message).flatMap(({ all }) => all.map(({ path }) => path));
