/** A door of plain TCP before a server of this machine, for tests that slam it: connections break as they do when the server dies. */
import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';
import { connect, createServer } from 'node:net';

export class Door {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #outside = new Set<Socket>();
  #port = 0;

  private constructor(port: number, host: string) {
    this.#server = createServer((outside) => {
      const inside = connect(port, host);
      this.#outside.add(outside);
      outside.on('close', () => this.#outside.delete(outside));
      this.#join(outside, inside);
      this.#join(inside, outside);
    });
  }

  static async before(port: number, host = '127.0.0.1'): Promise<Door> {
    const door = new Door(port, host);
    door.#server.listen(0, '127.0.0.1');
    await once(door.#server, 'listening');
    door.#port = (door.#server.address() as AddressInfo).port;
    return door;
  }

  /** Where to knock, on 127.0.0.1. */
  get port(): number {
    return this.#port;
  }

  /** Breaks every connection; new ones are let in. */
  slam(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Breaks every connection, and lets nobody in until it is opened again. */
  async shut(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.slam();
    await closed;
  }

  async open(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  /** How many bytes have gone out on the connections that are open. */
  bytesOut(): number {
    return [...this.#outside].reduce((sum, socket) => sum + socket.bytesWritten, 0);
  }

  remove(): void {
    if (this.#server.listening) this.#server.close();
    this.slam();
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.pipe(to);
    from.on('error', () => to.destroy());
    from.on('close', () => {
      to.destroy();
      this.#sockets.delete(from);
    });
  }
}
