import { concatMap, defer, type Observable, type ObservableInput, repeat } from 'rxjs';

/**
 * Pull, never push: read, handle, and only then read again. `handle` may answer before the work is done (one batch ahead)
 * or after it. Ends with an error when `read` or `handle` fails; see `retryBackoff`.
 */
export const readLoop = <T, R>(
  read: () => ObservableInput<T>,
  handle: (value: T) => ObservableInput<R>,
): Observable<R> => defer(read).pipe(concatMap(handle), repeat());
