/** @module A TCP proxy that makes the network between a client and a server slow, silent or broken. */

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export class TcpProxy implements AsyncDisposable {
  /** Milliseconds by which bytes in each direction are delayed from now on. They stay in order. */
  latencyMs = 0;
  /** While it is true no byte passes, and connections stay open. Bytes that were sent meanwhile pass afterwards. */
  #isBlackhole = false;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #held: (() => void)[] = [];

  /** Opens a proxy on a free port of 127.0.0.1. @param target The port of the server there. */
  static async open(target: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  private constructor(target: number) {
    this.#server = createServer((client) => {
      const server = connect(target, '127.0.0.1');
      this.#pass(client, server);
      this.#pass(server, client);
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#sockets.size / 2;
  }

  /** Swallows all bytes until it is set to false, as a network does that loses every packet. */
  set blackhole(isOn: boolean) {
    this.#isBlackhole = isOn;
    if (!isOn) for (const pass of this.#held.splice(0)) pass();
  }

  /** Breaks every open connection. New ones are accepted. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.cut();
    await once(this.#server, 'close');
  }

  #pass(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    // The other side learns of an error by the end of its connection.
    from.on('error', () => {});
    from.on('data', (bytes) => this.#later(() => to.write(bytes)));
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }

  #later(pass: () => void): void {
    const send = () => {
      if (this.#isBlackhole) this.#held.push(pass);
      else pass();
    };
    if (this.latencyMs === 0) send();
    else setTimeout(send, this.latencyMs);
  }
}
