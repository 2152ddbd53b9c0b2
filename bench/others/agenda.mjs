// Agenda: a job a message; the second is scheduled by the handler of the first.
import { MongoClient } from 'mongodb';
import { person } from '../work.mjs';
import { sender } from './send.mjs';

const delayMs = 2_000;
/** Of each of the two kinds of job; more of either makes it slower, since it looks through what is locked. */
const concurrency = 100;
const chunk = 200;

async function agendaOf({ library, uri, database }, more = {}) {
  const { agenda, backend } = await import(library);
  const client = await new MongoClient(uri).connect();
  const options = { backend: new backend.MongoBackend({ mongo: client.db(database) }), ...more };
  const instance = new agenda.Agenda(options);
  await instance.ready;
  return instance;
}

/** It has no call that takes many jobs. */
export async function produce(settings) {
  const agenda = await agendaOf(settings);
  for (let from = 0; from < settings.contacts; from += chunk) {
    const count = Math.min(chunk, settings.contacts - from);
    const contacts = Array.from({ length: count }, (_, index) => person(from + index));
    await Promise.all(contacts.map((contact) => agenda.now('first', { contact })));
  }
}

export async function work(settings) {
  const send = sender(settings);
  const agenda = await agendaOf(settings, {
    processEvery: 100,
    maxConcurrency: 2 * concurrency,
    defaultConcurrency: concurrency,
    defaultLockLimit: concurrency,
    removeOnComplete: true,
  });
  agenda.on('error', (error) => process.stderr.write(`agenda: ${error.message}\n`));
  agenda.on('fail', (error) => process.stderr.write(`agenda: a job failed: ${error.message}\n`));
  agenda.define('first', async ({ attrs: { data } }) => {
    await send(data.contact, 1);
    await agenda.schedule(new Date(Date.now() + delayMs), 'second', data);
  });
  agenda.define('second', ({ attrs: { data } }) => send(data.contact, 2));
  await agenda.start();
}
