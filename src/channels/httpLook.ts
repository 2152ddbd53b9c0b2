import type { Pool } from 'undici';
import type { ChannelCheck } from '../domain/channelPorts.ts';
import type { HttpLook } from './httpProtocol.ts';
import { oneLine } from './text.ts';

/** More of an answer is not read. */
const mostBytes = 65_536;

/** Asks a provider that can be reached whether it knows us: one GET, which changes nothing. Never throws. */
export async function lookAround(
  pool: Pool,
  { path, headers, judge }: HttpLook,
  signal: AbortSignal,
): Promise<ChannelCheck> {
  try {
    const { statusCode, body } = await pool.request({ method: 'GET', path, headers: [...headers], signal });
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of body) {
      chunks.push(chunk as Buffer);
      size += (chunk as Buffer).length;
      if (size > mostBytes) break;
    }
    return judge(statusCode, Buffer.concat(chunks).toString('utf8'));
  } catch (error) {
    if (signal.aborted) return { kind: 'failed', trouble: 'late', found: 'it took the connection and did not answer' };
    const said = oneLine(error instanceof Error ? error.message : String(error), 200);
    return { kind: 'failed', trouble: 'answer', found: `it did not answer as HTTP does: ${said}` };
  }
}
