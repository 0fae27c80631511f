/**
 * CloudEvents 1.0 in its JSON event format (cloudevents/spec, "JSON Event Format for CloudEvents", §2 and §3.1), one event a line.
 *
 * - `source` names the stream, for an event id is unique within its stream only; `time` is when the store took it.
 * - The extension attributes `stream`, `revision`, `position` and `metadata` (or `metadatabase64`, where the bytes are no plain text)
 *   say the rest. Numbers are in digits: the specification's Integer has 32 bits only.
 * - `data` is JSON where that gives the bytes back exactly, otherwise `data_base64`; what is empty is left out. A JSON `null` could be
 *   taken for no data, so it goes in base64.
 *
 * Attributes of others are passed over: what carries CloudEvents about may add its own.
 */
import { isUtf8 } from 'node:buffer';
import { parseInstant, rfc3339 } from '@vw/runtime';
import { judged, type Members, Misshapen, textOf, wholeOf } from './fields.js';
import type { Format } from './format.js';
import { base64, embeddable, unbase64, unembedded } from './payload.js';

const SPECVERSION = '1.0';

const contentTypes = { json: 'application/json', binary: 'application/octet-stream' } as const;

/** What the specification lets a String attribute hold: no control characters, and nothing outside Unicode. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const UNFIT_FOR_STRING = /[\u0000-\u001f\u007f-\u009f\ufdd0-\ufdef\ufffe\uffff]/;

export const cloudEvents: Format = {
  name: 'cloudevents',
  head: undefined,

  judgeHead() {
    // Each line says its version itself.
  },

  encode({ position, stream, revision, id, type, created, contentType, data, metadata }) {
    const head = JSON.stringify({
      specversion: SPECVERSION,
      id,
      source: `/streams/${encodeURIComponent(stream)}`,
      type,
      time: rfc3339(created),
      datacontenttype: contentTypes[contentType],
      stream,
      revision: String(revision),
      position: String(position),
      ...metadataAttribute(metadata),
    });
    return `${head.slice(0, -1)}${dataMember(contentType, data)}}`;
  },

  decode(members) {
    if (members['format'] !== undefined) throw new Misshapen('is no CloudEvent: say --format ndjson');
    if (members['specversion'] !== SPECVERSION) {
      throw new Misshapen(
        `says specversion ${JSON.stringify(members['specversion'])}, and this program knows ${SPECVERSION}`,
      );
    }
    const contentType = contentTypeOf(members);
    const created = parseInstant(textOf(members, 'time'));
    if (created === undefined || created < 0) throw new Misshapen('has no time that is RFC 3339, 1970 or later');
    return judged({
      position: wholeOf(members, 'position', 1),
      stream: textOf(members, 'stream'),
      revision: wholeOf(members, 'revision', 0),
      id: textOf(members, 'id'),
      type: textOf(members, 'type'),
      created,
      contentType,
      data: dataOf(members),
      metadata: metadataOf(members),
    });
  },

  end: () => undefined,
  endIn: () => undefined,
};

function metadataAttribute(metadata: Uint8Array): object {
  if (metadata.length === 0) return {};
  const text = isUtf8(metadata) ? Buffer.from(metadata).toString('utf8') : undefined;
  return text === undefined || UNFIT_FOR_STRING.test(text) ? { metadatabase64: base64(metadata) } : { metadata: text };
}

function metadataOf(members: Members): Uint8Array {
  const { metadata, metadatabase64 } = members;
  if (metadata !== undefined && metadatabase64 !== undefined) throw new Misshapen('has its metadata twice');
  if (metadata !== undefined) return Buffer.from(textOf(members, 'metadata'), 'utf8');
  if (metadatabase64 === undefined) return new Uint8Array();
  const bytes = unbase64(metadatabase64);
  if (!bytes) throw new Misshapen('has a metadatabase64 that is no base64');
  return bytes;
}

function dataMember(contentType: 'json' | 'binary', data: Uint8Array): string {
  if (data.length === 0) return '';
  const text = contentType === 'json' ? embeddable(data) : undefined;
  return text === undefined || text === 'null' ? `,"data_base64":"${base64(data)}"` : `,"data":${text}`;
}

function dataOf(members: Members): Uint8Array {
  const { data, data_base64: encoded } = members;
  if (data !== undefined && data !== null) {
    if (encoded !== undefined) throw new Misshapen('has its data twice');
    return unembedded(data);
  }
  if (encoded === undefined) return new Uint8Array();
  const bytes = unbase64(encoded);
  if (!bytes) throw new Misshapen('has a data_base64 that is no base64');
  return bytes;
}

function contentTypeOf({ datacontenttype }: Members): 'json' | 'binary' {
  switch (datacontenttype) {
    case contentTypes.json:
      return 'json';
    case contentTypes.binary:
      return 'binary';
    default:
      throw new Misshapen(
        `has the datacontenttype ${JSON.stringify(datacontenttype)}, not ${Object.values(contentTypes).join(' or ')}`,
      );
  }
}
