// A mail server that keeps what it gets as .eml files, which any mail program opens.
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';

/** `port`: 0 takes a free one. `folder` has to be there. */
export async function startMailbox({ port, folder, say }) {
  let count = 0;
  const keep = async (stream) => {
    const raw = await text(stream.setEncoding('latin1'));
    const path = join(folder, `${String(++count).padStart(4, '0')}.eml`);
    await writeFile(path, raw, 'latin1');
    const { to, subject } = await simpleParser(Buffer.from(raw, 'latin1'));
    say('mail', `${to?.text}  ${subject}`);
    return path;
  };
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    disableReverseLookup: true,
    onData: (stream, _session, done) => void keep(stream).then((path) => done(null, `kept as ${path}`), done),
  });
  // a client that breaks off is its own affair
  server.on('error', () => {});
  const listening = server.listen(port, '127.0.0.1');
  await once(listening, 'listening');
  return { port: listening.address().port, close: () => new Promise((resolve) => server.close(resolve)) };
}
