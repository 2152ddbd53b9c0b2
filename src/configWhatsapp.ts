/** What channels with driver whatsapp are configured by: Meta's Graph API, and the number that sends. */
import { type Spec, secretMatching } from './configSpec.ts';
import { httpUrl } from './configValues.ts';

/** Graph API with its version; the number's id and `/messages` follow. */
export const graphApi = 'https://graph.facebook.com/v24.0';

export const graphUrl: Spec<string> = {
  ...httpUrl,
  allowed: `the address of the Graph API with its version, such as ${graphApi}`,
  parse: (text) => {
    const url = httpUrl.parse(text);
    return url === undefined || /[?#]/.test(url) ? undefined : url.replace(/\/+$/, '');
  },
};

/** Not the telephone number: what the Graph API calls it. No secret; what stands there by mistake may be one. */
export const phoneNumberId = secretMatching('the phone number id of the sender, digits alone', /^\d{5,32}$/);
