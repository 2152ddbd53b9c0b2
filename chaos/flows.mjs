// What the campaigns of the traffic do. None has a loop; what everybody gets of them is known in asked.mjs.
const text = (words) => ({ text: words });
export const flows = {
  ask: {
    stages: [
      {
        ...{ id: 'intro', type: 'message', channel: 'phone', content: text('Hello {{ contact.name }}') },
        followUps: [
          { after: 'PT2S', content: text('Still there?') },
          { after: 'PT2S', content: text('Last call') },
        ],
        ...{ waitForReply: 'PT3S', on: { reply: 'thanks', noReply: 'tips' } },
      },
      { id: 'tips', type: 'message', channel: 'phone', delay: 'PT1S', content: text('Tips'), on: { noReply: 'quiet' } },
      { id: 'quiet', type: 'end', outcome: 'quiet' },
      { id: 'thanks', type: 'message', channel: 'phone', content: text('Thanks {{ contact.name }}') },
      { id: 'done', type: 'end', outcome: 'answered' },
    ],
  },
  once: {
    stages: [
      { id: 'first', type: 'message', channel: 'alert', content: text('One {{ contact.name }}') },
      { id: 'pause', type: 'wait', for: 'PT2S' },
      { id: 'second', type: 'message', channel: 'alert', content: text('Two') },
    ],
  },
  long: {
    stages: Array.from({ length: 6 }, (_, n) => ({
      ...{ id: `s${n}`, type: 'message', channel: n % 2 ? 'alert' : 'phone', content: text(`Number ${n}`) },
      delay: 'PT2S',
    })),
  },
  /** Lives long enough to be ended in the middle. */
  slow: {
    stages: ['early', 'middle', 'late'].flatMap((id, n) => [
      { id, type: 'message', channel: n % 2 ? 'alert' : 'phone', content: text(`${id} {{ contact.name }}`) },
      { id: `after-${id}`, type: 'wait', for: 'PT15S' },
    ]),
  },
};
