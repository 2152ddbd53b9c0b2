// What every handler does: one request to the sink, over connections that are kept.
import { Pool } from 'undici';

/** Resolves when the sink took the message; `number`: 1 or 2. */
export function sender({ sinkUrl, connections }) {
  const pool = new Pool(sinkUrl, { connections, pipelining: 1, keepAliveTimeout: 60_000 });
  return async ({ _id, name, phone }, number) => {
    const messageId = `${_id}/${number}`;
    const headers = { 'content-type': 'application/json', 'idempotency-key': messageId };
    const text = `Hello ${name}, this is message ${number} of your campaign. Reply STOP to end it.`;
    const body = JSON.stringify({ messageId, channel: 'phone', to: phone, content: { text } });
    const answer = await pool.request({ method: 'POST', path: '/', headers, body });
    await answer.body.dump();
    if (answer.statusCode !== 200) throw new Error(`the sink answered ${answer.statusCode}`);
  };
}
