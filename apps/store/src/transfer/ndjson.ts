/**
 * Our own lines: a head that names the format, one event a line, and an end that says how many there were and what the lines before
 * it digest to. A file without its end is one whose export was interrupted.
 *
 *   {"format":"vw-events","version":1}
 *   {"position":1,"stream":"workspace-1","revision":0,"id":"…","type":"WorkspaceCreated","created":1760000000000,"contentType":"json","data":{…},"metadata":{…}}
 *   {"end":{"events":1,"sha256":"…"}}
 *
 * `created` is in milliseconds since the epoch. Data and metadata stand as JSON where that gives the bytes back exactly, otherwise as
 * `dataBase64` and `metadataBase64`; what is empty is left out.
 */
import type { RecordedEvent } from '@vw/event-store';
import { judged, type Members, Misshapen, textOf, wholeOf } from './fields.js';
import type { Format } from './format.js';
import { base64, embeddable, unbase64, unembedded } from './payload.js';

const NAME = 'vw-events';
const VERSION = 1;

const MEMBERS = new Set([
  ...['position', 'stream', 'revision', 'id', 'type', 'created', 'contentType'],
  ...['data', 'dataBase64', 'metadata', 'metadataBase64'],
]);

export const ndjson: Format = {
  name: 'ndjson',
  head: JSON.stringify({ format: NAME, version: VERSION }),

  judgeHead({ format, version, specversion }) {
    if (specversion !== undefined) throw new Misshapen('is a CloudEvent: say --format cloudevents');
    if (format !== NAME) throw new Misshapen(`is not the head of an export: {"format":"${NAME}","version":${VERSION}}`);
    if (version !== VERSION) {
      throw new Misshapen(`says version ${JSON.stringify(version)}, and this program knows version ${VERSION}`);
    }
  },

  encode({ position, stream, revision, id, type, created, contentType, data, metadata }) {
    const head = JSON.stringify({ position, stream, revision, id, type, created, contentType });
    return `${head.slice(0, -1)}${payload('data', data)}${payload('metadata', metadata)}}`;
  },

  decode(members): RecordedEvent {
    const unknown = Object.keys(members).find((member) => !MEMBERS.has(member));
    if (unknown !== undefined) throw new Misshapen(`has the member ${JSON.stringify(unknown)}, which no event has`);
    const { contentType } = members;
    if (contentType !== 'json' && contentType !== 'binary') throw new Misshapen('has no contentType json or binary');
    return judged({
      position: wholeOf(members, 'position', 1),
      stream: textOf(members, 'stream'),
      revision: wholeOf(members, 'revision', 0),
      id: textOf(members, 'id'),
      type: textOf(members, 'type'),
      created: wholeOf(members, 'created', 0),
      contentType,
      data: bytesOf(members, 'data'),
      metadata: bytesOf(members, 'metadata'),
    });
  },

  end: (events, sha256) => JSON.stringify({ end: { events, sha256 } }),

  endIn({ end }) {
    if (end === undefined) return undefined;
    const { events, sha256 } = (end ?? {}) as Members;
    if (typeof events !== 'number' || typeof sha256 !== 'string') throw new Misshapen('is a broken end of an export');
    return { events, sha256 };
  },
};

function payload(member: 'data' | 'metadata', bytes: Uint8Array): string {
  if (bytes.length === 0) return '';
  const text = embeddable(bytes);
  return text === undefined ? `,"${member}Base64":"${base64(bytes)}"` : `,"${member}":${text}`;
}

function bytesOf(members: Members, member: 'data' | 'metadata'): Uint8Array {
  const encoded = members[`${member}Base64`];
  if (member in members) {
    if (encoded !== undefined) throw new Misshapen(`has its ${member} twice`);
    return unembedded(members[member]);
  }
  if (encoded === undefined) return new Uint8Array();
  const bytes = unbase64(encoded);
  if (!bytes) throw new Misshapen(`has a ${member}Base64 that is no base64`);
  return bytes;
}
