import { parsePhoneNumberFromString } from 'libphonenumber-js/min';
import { plainAddress } from '../domain/addresses.ts';

/**
 * Whether there may be such a telephone number: its country code exists, and so does its length there. Whether a number of
 * that length was ever given to anybody changes too often to be known here.
 */
export const isPossibleNumber = (text: string): boolean =>
  parsePhoneNumberFromString(plainAddress(text), { extract: false })?.isPossible() ?? false;
