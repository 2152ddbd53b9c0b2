import { describe as group, expect, test } from '@jest/globals';
import { replyVerdict, type SmtpError } from '../../../src/channels/smtpAnswer.ts';

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
