/** Contacts that do not enter, for people. */
import type { LeftOut } from '../../domain/leftOut.ts';
import { plural, safe } from '../output.ts';

/** `2 contacts left out: phone has to be a string, was 30123458; write it in quotes, first: id c3`. */
export const leftOutWords = ({ reasons }: Pick<LeftOut, 'reasons'>): string[] =>
  reasons.map(
    ({ message, count, first }) => `${plural(count, 'contact')} left out: ${safe(message)}, first: ${safe(first)}`,
  );
