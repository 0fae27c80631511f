/** Every format there is, by the name that the command line gives it. */
import { cloudEvents } from './cloudevents.js';
import type { Format } from './format.js';
import { ndjson } from './ndjson.js';

export const formats = { ndjson, cloudevents: cloudEvents } as const satisfies { readonly [name: string]: Format };

export type FormatName = keyof typeof formats;

export const formatNames = Object.keys(formats) as FormatName[];
