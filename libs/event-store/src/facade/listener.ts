/**
 * Where the facade listens, and whether it may. Without TLS and users everything would be readable and writable by whoever can
 * reach the port, and passwords by whoever can see the wire; so without them it listens to its own machine only.
 */
import { ServerCredentials } from '@grpc/grpc-js';

export interface TlsFiles {
  /** PEM: the certificate, and after it those that lead to its root. */
  readonly certificate: string | Buffer;
  /** PEM. */
  readonly key: string | Buffer;
}

export interface ListenOptions {
  readonly host: string;
  readonly tls?: TlsFiles | undefined;
  readonly users: readonly unknown[];
}

/** @throws RangeError in one sentence, when the address is not one's own machine and TLS or users are missing */
export function credentialsFor({ host, tls, users }: ListenOptions): ServerCredentials {
  if (!isLoopback(host)) {
    const missing = [...(tls ? [] : ['a TLS certificate']), ...(users.length > 0 ? [] : ['a user'])].join(' and ');
    if (missing) {
      throw new RangeError(
        `the event store may listen on ${host} only with ${missing}; without, only on a loopback address`,
      );
    }
  }
  if (!tls) return ServerCredentials.createInsecure();
  return ServerCredentials.createSsl(null, [
    { cert_chain: Buffer.from(tls.certificate), private_key: Buffer.from(tls.key) },
  ]);
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** `host:port` as a socket address, an IPv6 address in brackets. */
export function socketAddress(host: string, port: number): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]:${port}` : `${host}:${port}`;
}
