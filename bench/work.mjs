// The work of every run: people, a campaign of two messages to each, and how a worker is set up for it.
const text = (number) => `Hello {{ contact.name }}, this is message ${number} of your campaign. Reply STOP to end it.`;
const message = (id, more) => ({ id, type: 'message', channel: 'phone', ...more });

export const person = (index) => ({
  _id: index,
  name: `Customer ${index}`,
  phone: `+1555${String(index).padStart(7, '0')}`,
});

/** `firstDelay`: of the first message, an ISO 8601 duration; the second comes two seconds after it. */
export const campaign = (firstDelay) => ({
  _id: 'bench',
  name: 'Bench',
  type: 'sequence',
  status: 'pending',
  audience: { collection: 'people' },
  flow: {
    stages: [
      message('one', { content: { text: text(1) }, ...(firstDelay && { delay: firstDelay }) }),
      message('two', { content: { text: text(2) }, delay: 'PT2S' }),
    ],
  },
});

/** `inDoubt`, `concurrency`: of each thread; `traces`: the variables of tracing. */
export const workerEnv = ({ uri, database, sinkUrl, threads, inDoubt, concurrency, traces }) => ({
  MONGODB_URI: uri,
  MONGODB_DATABASE: database,
  WORKER_THREADS: String(threads),
  SEND_CONCURRENCY: String(inDoubt),
  HEALTH_PORT: '0',
  CHANNEL_PHONE_DRIVER: 'http',
  CHANNEL_PHONE_URL: `${sinkUrl}/`,
  CHANNEL_PHONE_CONCURRENCY: String(concurrency),
  ...traces,
});
