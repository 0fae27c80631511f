/** Which format a document is in: what its sender says decides (media type first, then file name), else how it begins. */

export type DescriptionFormat = 'json' | 'yaml' | 'xml';

export interface FormatHint {
  /** A media type, parameters allowed: `application/json; charset=utf-8`. One that names none of the formats says nothing. */
  contentType?: string;
  filename?: string;
}

export function formatOf(text: string, hint: FormatHint = {}): DescriptionFormat {
  return byMediaType(hint.contentType ?? '') ?? byName(hint.filename ?? '') ?? byBeginning(text);
}

function byMediaType(contentType: string): DescriptionFormat | undefined {
  const subtype = /^(?:application|text)\/(?:x-|vnd\.)?(?:[\w.-]+\+)?(json|yaml|xml)$/.exec(
    contentType.split(';')[0]!.trim().toLowerCase(),
  );
  return subtype?.[1] as DescriptionFormat | undefined;
}

function byName(filename: string): DescriptionFormat | undefined {
  const extension = /\.(json|ya?ml|xml)$/.exec(filename.toLowerCase())?.[1];
  return extension === 'yml' ? 'yaml' : (extension as DescriptionFormat | undefined);
}

function byBeginning(text: string): DescriptionFormat {
  const start = text.trimStart();
  if (start.startsWith('<')) return 'xml';
  return start.startsWith('{') || start.startsWith('[') ? 'json' : 'yaml';
}
