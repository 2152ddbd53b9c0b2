// BullMQ: a job a message; the second is added, with a delay, by the handler of the first.
import { person } from '../work.mjs';
import { sender } from './send.mjs';

const delayMs = 2_000;
const concurrency = 200;
const chunk = 1_000;
const queueName = 'messages';
/** `-`: a job's own id may hold no colon. */
const job = (contact, number, more) => ({
  name: 'message',
  data: { contact, number },
  opts: { jobId: `${contact._id}-${number}`, removeOnComplete: true, ...more },
});
const connectionOf = ({ redisPort }) => ({ host: '127.0.0.1', port: redisPort, maxRetriesPerRequest: null });

export async function produce(settings) {
  const { bullmq } = await import(settings.library);
  const queue = new bullmq.Queue(queueName, { connection: connectionOf(settings) });
  for (let from = 0; from < settings.contacts; from += chunk) {
    const count = Math.min(chunk, settings.contacts - from);
    await queue.addBulk(Array.from({ length: count }, (_, index) => job(person(from + index), 1)));
  }
}

export async function work(settings) {
  const { bullmq } = await import(settings.library);
  const send = sender(settings);
  const connection = connectionOf(settings);
  const queue = new bullmq.Queue(queueName, { connection });
  const worker = new bullmq.Worker(
    queueName,
    async ({ data: { contact, number } }) => {
      await send(contact, number);
      if (number === 2) return;
      const { name, data, opts } = job(contact, 2, { delay: delayMs });
      await queue.add(name, data, opts);
    },
    { connection, concurrency },
  );
  worker.on('error', (error) => process.stderr.write(`bullmq: ${error.message}\n`));
  worker.on('failed', (_job, error) => process.stderr.write(`bullmq: a job failed: ${error.message}\n`));
  await worker.waitUntilReady();
}
