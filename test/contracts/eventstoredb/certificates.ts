/** A certificate authority of a test's own, and a server's certificate of it, made by openssl. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface Certificates {
  /** Files in PEM. */
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

const openssl = (...words: string[]) => promisify(execFile)('openssl', words);
const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** For a server on this machine: `localhost`, 127.0.0.1 and ::1. */
export async function issueCertificates(folder: string): Promise<Certificates> {
  const file = (name: string) => join(folder, name);
  const names = file('names.ext');
  await writeFile(names, 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\n');
  const authority = ['-x509', '-days', '2', '-subj', '/CN=A test authority', '-out', file('authority.pem')];
  await openssl('req', ...newKey, '-keyout', file('authority.key'), ...authority);
  await openssl(
    'req',
    ...newKey,
    '-keyout',
    file('server.key'),
    '-subj',
    '/CN=A test server',
    '-out',
    file('server.csr'),
  );
  const signing = ['-CA', file('authority.pem'), '-CAkey', file('authority.key'), '-days', '2', '-extfile', names];
  await openssl('x509', '-req', '-in', file('server.csr'), ...signing, '-out', file('server.pem'));
  return { authority: file('authority.pem'), certificate: file('server.pem'), key: file('server.key') };
}
