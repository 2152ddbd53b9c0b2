import { expect, describe as group, test } from '@jest/globals';
import { describe, replyVerdict, type SmtpError, secretsOf } from '../../../src/channels/smtpAnswer.ts';

const refused = (command: string, response: string): SmtpError =>
  Object.assign(new Error('refused'), { code: command === 'DATA' ? 'EMESSAGE' : 'EENVELOPE', command, response });

group('a sender that is refused is the channel’s trouble, wherever the server says it', () => {
  test.each([
    ['RCPT TO', '553 5.7.1 <news@a.test>: Sender address rejected: not owned by user app'],
    ['RCPT TO', '550 5.1.8 <news@a.test>: Sender address rejected: Domain not found'],
    ['RCPT TO', '550 5.1.0 <news@a.test>: Sender address rejected: User unknown in virtual mailbox table'],
    ['RCPT TO', '450 4.1.8 <news@a.test>: Sender address rejected: Domain not found'],
    ['RCPT TO', '550 5.1.7 the address is misspelt'],
    ['RCPT TO', '554 5.7.1 <ada@b.test>: Relay access denied'],
    ['RCPT TO', '550 5.7.1 <ada@b.test>... Relaying denied'],
    ['RCPT TO', '550 relay not permitted'],
    ['RCPT TO', '550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain'],
    ['RCPT TO', '550-Verification failed for <news@a.test>\r\n550 Sender verify failed'],
    ['DATA', '554 5.7.1 <news@a.test>: Sender address rejected: Access denied'],
    ['DATA', '550 5.1.8 bad sender'],
    ['MAIL FROM', '550 5.7.1 not you'],
  ])('%s: %s', (command, response) => {
    expect(replyVerdict(refused(command, response), 'said')).toEqual({
      ...{ kind: 'retry', code: 'sender_refused', message: 'said', counts: false, retryAfterMs: 60_000 },
    });
  });
});

group('what is said of the recipient or of the message is the message’s', () => {
  test.each([
    ['RCPT TO', '550 5.1.1 <sender@b.test>: Recipient address rejected: User unknown', 'address_invalid'],
    ['RCPT TO', '554 5.7.1 <ada@b.test>: Recipient address rejected: Access denied', 'smtp_554'],
    ['DATA', '550 5.7.1 rejected as spam', 'smtp_550'],
    ['MAIL FROM', '552 5.3.4 too large', 'smtp_552'],
  ])('%s: %s', (command, response, code) => {
    expect(replyVerdict(refused(command, response), 'said')).toEqual({ kind: 'rejected', code, message: 'said' });
  });
});

group('a server that repeats what it was told', () => {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  test.each(['p@ss wörd', 'A', 'ab', 'abc', 'x'.repeat(300)])('shows nothing of the password %j', (pass) => {
    const secrets = secretsOf({ user: 'app', pass });
    const written = [pass, base64(pass), base64(`\0app\0${pass}`), base64(`\0app\0${pass}`).replaceAll('=', '')];
    for (const said of written) {
      expect(describe(refused('AUTH PLAIN', `501 5.5.2 ${said}`), secrets)).toMatch(
        /^SMTP 501 5\.5\.2 at AUTH PLAIN: \*\*\*=*$/,
      );
      expect(describe(new Error(said), secrets)).toMatch(/^\*\*\*=*$/);
    }
  });

  test('shows the user, and all of it where there is no login', () => {
    expect(describe(refused('AUTH LOGIN', '535 no app'), secretsOf({ user: 'app', pass: 'x' }))).toContain('no app');
    expect(describe(refused('RCPT TO', '550 no'), secretsOf({ user: 'app', pass: '' }))).toBe(
      'SMTP 550 at RCPT TO: no',
    );
  });
});
