import { connect, type Socket } from 'node:net'

const atATime = 100

/** Opens many connections, some at a time, and resolves when `open` has said of each that it is in place. */
export async function crowd (clients: number, port: number, open: (socket: Socket, inPlace: () => void) => void): Promise<Socket[]> {
  const sockets: Socket[] = []
  let next = 0
  const work = async (): Promise<void> => {
    while (next++ < clients) {
      await new Promise<void>((resolve, reject) => {
        const socket = connect({ port, host: '127.0.0.1', noDelay: true })
        sockets.push(socket)
        socket.setEncoding('latin1')
        socket.on('error', reject)
        socket.on('connect', () => open(socket, resolve))
      })
    }
  }
  await Promise.all(Array.from({ length: atATime }, work))
  return sockets
}
