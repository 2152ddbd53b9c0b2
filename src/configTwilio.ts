/** What channels with driver twilio are configured by: an account and its credentials, a sender, where statuses go. */
import { type Spec, secretMatching, textMatching } from './configSpec.ts';
import { httpUrl } from './configValues.ts';

/** Twilio's own; other regions have other hosts. */
export const twilioApi = 'https://api.twilio.com';

const sid = (prefix: string): string => `${prefix}[0-9a-fA-F]{32}`;

/** Without user, path and query: the account stands in the path, and the credentials are settings of their own. */
export const twilioUrl: Spec<string> = {
  ...httpUrl,
  allowed: `http:// or https:// and a host alone, such as ${twilioApi}`,
  parse: (text) => {
    const url = httpUrl.parse(text);
    return url !== undefined && /^https?:\/\/[^@/?#]+\/?$/i.test(url) ? new URL(url).origin : undefined;
  },
};

/** No secret; what stands there by mistake may be one. */
export const accountSid = secretMatching('the SID of the account, AC and 32 digits', new RegExp(`^${sid('AC')}$`));

export const twilioToken = secretMatching(
  'the auth token of the account, or an API key as its SID, a colon and its secret (SK…:secret)',
  new RegExp(`^(?:${sid('SK')}:[\\x21-\\x7e]+|[\\x21-\\x39\\x3b-\\x7e]+)$`),
);

/** Messaging API, "Messages resource": `From` and `MessagingServiceSid`; alphanumeric senders as `AlphaSenders` takes them. */
export const twilioSender = textMatching(
  'a number such as +15551234567, a short code, a sender ID (up to 11 letters, digits, spaces and +-_&, a letter among them), or a Messaging Service (MG and 32 digits)',
  new RegExp(`^(?:${sid('MG')}|\\+[1-9]\\d{6,14}|\\d{3,8}|(?=.*[A-Za-z])[A-Za-z\\d +_&-]{1,11})$`),
);

/** Twilio takes no host with underscores. */
export const statusCallback: Spec<string> = {
  ...httpUrl,
  allowed: 'an http:// or https:// URL that the provider can reach, its host without underscores',
  parse: (text) => {
    const url = httpUrl.parse(text);
    return url === undefined || new URL(url).hostname.includes('_') ? undefined : url;
  },
};
