#!/usr/bin/env node
// Everything around a worker, on this machine and for trying out only: a MongoDB replica set, an SMS gateway and a mail
// server that deliver to nobody. Addresses are those of env.sh. Ctrl-C ends it and removes what it stored.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startReplicaSet } from '../scripts/replicaSet.mjs';
import { startGateway } from './sandbox/gateway.mjs';
import { startMailbox } from './sandbox/mailbox.mjs';
import { quietly } from './sandbox/quietly.mjs';

const setting = (name) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; run \`. examples/env.sh\` first`);
  return new URL(value);
};

async function main() {
  const addresses = {
    mongo: setting('MONGODB_URI'),
    sms: setting('CHANNEL_SMS_URL'),
    mail: setting('CHANNEL_EMAIL_URL'),
    replies: setting('REPLIES_URL'),
  };
  const say = quietly((line) => process.stdout.write(`${line}\n`));
  const folder = await mkdtemp(join(tmpdir(), 'communication-base-mail-'));
  const stopping = new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, resolve);
  });
  const cleanups = [() => rm(folder, { recursive: true, force: true })];
  try {
    const gateway = await startGateway({ port: Number(addresses.sms.port), replies: addresses.replies.href, say });
    cleanups.unshift(() => gateway.close());
    const mailbox = await startMailbox({ port: Number(addresses.mail.port), folder, say });
    cleanups.unshift(() => mailbox.close());
    const mongo = await startReplicaSet({ port: Number(addresses.mongo.port) });
    cleanups.unshift(() => mongo.stop());
    process.stdout.write(`MongoDB      ${addresses.mongo.href}\n`);
    process.stdout.write(`SMS gateway  ${addresses.sms.href}\n`);
    process.stdout.write(`mail server  ${addresses.mail.href}, mails in ${folder}\n`);
    process.stdout.write('ready; Ctrl-C ends it\n');
    await stopping;
  } finally {
    for (const clean of cleanups) await clean();
  }
}

await main().catch((error) => {
  const taken = error.code === 'EADDRINUSE' ? `; something else listens there: change the port in examples/env.sh` : '';
  process.stderr.write(`${error.message}${taken}\n`);
  process.exitCode = 1;
});
