/** Connection strings of a store elsewhere, as far as a setting and a message need to know them; the store's client reads the rest. */

/** The setting's word for the log in the data folder. */
export const embedded = 'embedded';

/** What comes before the last `@` is somebody's name and password. */
const form = /^((?:esdb|kurrentdb)(?:\+discover)?:\/\/)(?:.*@)?([^\s@/?]+)(?:[/?][^\s@]*)?$/;

export const isConnectionString = (text: string): boolean => form.test(text);

/** Where it leads, fit for a message: without credentials and options. */
export function placeOf(connection: string): string {
  const [, scheme = '', hosts = ''] = form.exec(connection) ?? [];
  return `${scheme}${hosts}`;
}
