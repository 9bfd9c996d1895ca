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
        let heard = ''
        socket.on('data', (text: string) => { if (heard.length < 100) heard += text })
        socket.on('error', reject)
        // Means nothing any more when it is in place.
        socket.on('close', () => reject(new Error(`connection ${sockets.length} was closed: ${heard.slice(0, 100)}`)))
        socket.on('connect', () => open(socket, resolve))
      })
    }
  }
  await Promise.all(Array.from({ length: atATime }, work))
  return sockets
}
