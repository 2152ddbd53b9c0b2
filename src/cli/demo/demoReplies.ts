/** The customers' answers, pushed to the inbox as any other service would: with the plain driver. */
import type { Conversation } from '../../domain/model.ts';
import type { Collection } from '../../mongo/values.ts';
import type { Answer } from './demoScenario.ts';

export interface Replies {
  /** A reply that will be pushed after its delay. */
  plan(conversation: string, channel: string, answer: Answer): void;
  /** Ids of the conversations whose reply is stored. */
  readonly pushed: ReadonlySet<string>;
  /** Waiting for their delay, or on their way. */
  readonly waiting: number;
  /** The first error of a push, if there was one. */
  readonly failure: Error | undefined;
  /** Pushes no more. */
  stop(): void;
}

const tickMs = 50;

export function startReplies(conversations: Collection<Conversation>): Replies {
  const pushed = new Set<string>();
  let queue: { at: number; conversation: string; channel: string; text: string }[] = [];
  let inFlight = 0;
  let failure: Error | undefined;

  const push = async (due: typeof queue): Promise<void> => {
    inFlight += due.length;
    try {
      await conversations.bulkWrite(
        due.map(({ conversation, channel, text }) => ({
          updateOne: {
            filter: { _id: conversation },
            update: { $push: { inbox: { id: `reply-${conversation}`, type: 'reply', channel, text, at: new Date() } } },
          },
        })),
        { ordered: false },
      );
      for (const { conversation } of due) pushed.add(conversation);
    } catch (error) {
      failure ??= error as Error;
    } finally {
      inFlight -= due.length;
    }
  };
  const timer = setInterval(() => {
    const now = performance.now();
    const due = queue.filter(({ at }) => at <= now);
    if (due.length === 0) return;
    queue = queue.filter(({ at }) => at > now);
    void push(due);
  }, tickMs);

  return {
    plan: (conversation, channel, { text, delayMs }) =>
      void queue.push({ at: performance.now() + delayMs, conversation, channel, text }),
    pushed,
    get waiting() {
      return queue.length + inFlight;
    },
    get failure() {
      return failure;
    },
    stop: () => clearInterval(timer),
  };
}
